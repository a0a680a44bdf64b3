//! The side of the program: workers as one encoder.

use std::io::{BufReader, BufWriter, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::concat;
use arrow::datatypes::SchemaRef;
use penstock_types::{ErrorCode, FeatureSpec, Kind, columns};

use super::serve::{read, write};
use super::{
    KEY_ABOUT, KEY_CODE, KEY_COLUMNS, KEY_KIND, KEY_PROBLEM, KEY_PROTOCOL, PROTOCOL, WorkerOptions,
};
use crate::{EmbedError, Encoder, Form};

/// Parts into which a batch is cut for each worker: a slow part is waited for less.
const PARTS: usize = 4;

/// Bytes of a worker's standard error that an error repeats.
const LAST_WORDS: u64 = 64 << 10;

/// What a worker may read; what it names is one of these.
const COLUMNS: [&str; 6] = [
    columns::SEQUENCE,
    columns::VERTICES,
    columns::FACES,
    columns::CA_XYZ,
    columns::CA_PRESENT,
    columns::LENGTH,
];

/// A process that answers. It ends when its standard input is closed.
struct Running {
    child: Child,
    to: Option<BufWriter<ChildStdin>>,
    from: BufReader<ChildStdout>,
    errors: Option<JoinHandle<String>>,
}

/// How a process is started; and the process, unless the last one ended.
struct Worker {
    program: PathBuf,
    device: String,
    folder: PathBuf,
    name: String,
    running: Mutex<Option<Running>>,
}

/// An encoder whose model is in the memory of other processes.
pub(crate) struct Pool {
    workers: Vec<Worker>,
    spec: FeatureSpec,
    kind: Kind,
    columns: &'static [&'static str],
    about: String,
    next: AtomicUsize,
}

impl Pool {
    /// Starts the workers, all at once, and waits until each has loaded the checkpoint.
    pub(crate) fn start(
        options: &WorkerOptions,
        folder: &Path,
        short: &str,
        form: Form,
    ) -> Result<Self, EmbedError> {
        let worker = |device: &String| Worker {
            program: options.program.clone(),
            device: device.clone(),
            folder: folder.to_owned(),
            name: form.name(short),
            running: Mutex::default(),
        };
        let workers: Vec<Worker> = options.devices.iter().map(worker).collect();
        for worker in &workers {
            *lock(&worker.running) = Some(worker.spawn()?);
        }
        let mut head: Option<SchemaRef> = None;
        for worker in &workers {
            let (schema, _) = worker.answer(&mut lock(&worker.running), None)?;
            if head.as_ref().is_some_and(|head| *head != schema) {
                return Err(worker.failed("it makes other vectors than the worker before it"));
            }
            head = Some(schema);
        }
        let (Some(head), Some(first)) = (head, workers.first()) else {
            return Err(EmbedError::Worker {
                device: "none".into(),
                code: ErrorCode::InvalidArgument,
                problem: "no device was named".into(),
            });
        };
        let says = |key: &str| head.metadata().get(key).map_or("", String::as_str);
        if says(KEY_PROTOCOL) != PROTOCOL {
            return Err(first.failed("it is of another version than this program"));
        }
        let spec = head.fields().first().map(|field| FeatureSpec::of(field));
        let spec = spec.and_then(Result::ok).flatten();
        let kind = says(KEY_KIND).parse();
        let columns: Vec<&'static str> = says(KEY_COLUMNS)
            .split(',')
            .filter_map(|name| COLUMNS.into_iter().find(|known| *known == name))
            .collect();
        let (Some(spec), Ok(kind)) = (spec, kind) else {
            return Err(first.failed("it does not say what its vectors are"));
        };
        Ok(Self {
            spec,
            kind,
            // A few names, once per encoder of the process, which keeps its encoders.
            columns: Vec::leak(columns),
            about: says(KEY_ABOUT).to_owned(),
            next: AtomicUsize::new(0),
            workers,
        })
    }
}

type Answer = (SchemaRef, Option<RecordBatch>);

impl Worker {
    fn spawn(&self) -> Result<Running, EmbedError> {
        let mut child = Command::new(&self.program)
            .arg(&self.folder)
            .arg("--name")
            .arg(&self.name)
            .env("CUDA_VISIBLE_DEVICES", &self.device)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| {
                self.failed(&format!(
                    "`{}` does not start: {error}",
                    self.program.display()
                ))
            })?;
        let (Some(to), Some(from), Some(errors)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(self.failed("it has no pipes"));
        };
        // Read as it comes, or a worker with much to say would wait for a reader.
        let errors = std::thread::spawn(move || {
            let (mut errors, mut text) = (errors, Vec::new());
            // What cannot be read is not repeated.
            let _ = errors.by_ref().take(LAST_WORDS).read_to_end(&mut text);
            let _ = std::io::copy(&mut errors, &mut std::io::sink());
            String::from_utf8_lossy(&text).into_owned()
        });
        Ok(Running {
            child,
            to: Some(BufWriter::new(to)),
            from: BufReader::new(from),
            errors: Some(errors),
        })
    }

    /// Sends a batch and waits for the answer. A process that ended at an earlier request is
    /// started again.
    fn ask(&self, batch: &RecordBatch) -> Result<RecordBatch, EmbedError> {
        let mut running = lock(&self.running);
        if running.is_none() {
            *running = Some(self.spawn()?);
            self.answer(&mut running, None)?;
        }
        let (schema, answer) = self.answer(&mut running, Some(batch))?;
        if let Some(problem) = schema.metadata().get(KEY_PROBLEM) {
            return Err(EmbedError::Worker {
                device: self.device.clone(),
                code: code_of(&schema),
                problem: problem.clone(),
            });
        }
        match answer {
            Some(answer) if answer.num_rows() == batch.num_rows() && answer.num_columns() == 1 => {
                Ok(answer)
            }
            _ => Err(self.failed("it answered with something else than a vector per row")),
        }
    }

    /// Sends a batch, if there is one, and reads a stream.
    fn answer(
        &self,
        running: &mut Option<Running>,
        batch: Option<&RecordBatch>,
    ) -> Result<Answer, EmbedError> {
        let Some(Running {
            to: Some(to), from, ..
        }) = running
        else {
            return Err(self.failed("it has ended"));
        };
        let sent = match batch {
            Some(batch) => write(to, &batch.schema(), Some(batch)),
            None => Ok(()),
        };
        sent.and_then(|()| read(from)).map_err(|error| {
            // What is in the pipes is half an answer, so the process is of no more use.
            let words = running.take().map_or_else(String::new, Running::end);
            match words.is_empty() {
                true => self.failed(&format!("it ended: {error}")),
                false => self.failed(&format!("it ended: {words}")),
            }
        })
    }

    fn failed(&self, problem: &str) -> EmbedError {
        EmbedError::Worker {
            device: self.device.clone(),
            code: ErrorCode::Internal,
            problem: problem.to_owned(),
        }
    }
}

impl Running {
    /// Ends the process; what it said on standard error.
    fn end(mut self) -> String {
        let words = self.stop();
        words.trim().to_owned()
    }

    fn stop(&mut self) -> String {
        self.to.take();
        // One that ends by itself is not hurt, one that does not has nothing to lose.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let errors = self.errors.take().and_then(|thread| thread.join().ok());
        errors.unwrap_or_default()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Encoder for Pool {
    fn spec(&self) -> &FeatureSpec {
        &self.spec
    }

    fn kind(&self) -> Kind {
        self.kind
    }

    fn columns(&self) -> &'static [&'static str] {
        self.columns
    }

    fn describe(&self) -> &str {
        &self.about
    }

    fn is_model(&self) -> bool {
        true
    }

    fn encode(&self, batch: &RecordBatch) -> Result<ArrayRef, EmbedError> {
        let schema = batch.schema();
        let read: Vec<usize> = self
            .columns
            .iter()
            .filter_map(|name| schema.index_of(name).ok())
            .collect();
        let batch = batch.project(&read)?;
        let rows = batch.num_rows();
        let step = rows.div_ceil(self.workers.len() * PARTS).max(1);
        let starts: Vec<usize> = (0..rows).step_by(step).collect();
        if starts.is_empty() {
            return Ok(arrow::array::new_empty_array(self.spec.field().data_type()));
        }
        let parts: Vec<OnceLock<Result<ArrayRef, EmbedError>>> =
            starts.iter().map(|_| OnceLock::new()).collect();
        let next = AtomicUsize::new(0);
        // Small batches do not all go to the first worker.
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        std::thread::scope(|scope| {
            for offset in 0..self.workers.len().min(starts.len()) {
                let worker = &self.workers[(first + offset) % self.workers.len()];
                let (batch, starts, parts, next) = (&batch, &starts, &parts, &next);
                scope.spawn(move || {
                    while let Some(at) = starts.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let part = batch.slice(*at, step.min(rows - at));
                        let given = worker.ask(&part).map(|answer| Arc::clone(answer.column(0)));
                        let failed = given.is_err();
                        // Each part is taken by one thread.
                        let _ = parts[at / step].set(given);
                        if failed {
                            // The others need not go on for nothing.
                            next.store(usize::MAX / 2, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        let mut arrays = Vec::with_capacity(parts.len());
        let mut skipped = false;
        for part in parts {
            match part.into_inner() {
                Some(given) => arrays.push(given?),
                None => skipped = true,
            }
        }
        debug_assert!(!skipped, "a part is left out only where another failed");
        let arrays: Vec<_> = arrays.iter().map(|array| &**array).collect();
        Ok(concat(&arrays)?)
    }
}

/// The code of an error that a worker reports.
fn code_of(schema: &SchemaRef) -> ErrorCode {
    let given = schema.metadata().get(KEY_CODE).map(String::as_str);
    ErrorCode::ALL
        .into_iter()
        .find(|code| Some(code.as_str()) == given)
        .unwrap_or(ErrorCode::Internal)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is inside is replaced whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
