//! Exact occurrences of a pattern in a column of sequences.
//!
//! Without an index every sequence is read and searched. An index of substrings (Lance's FM-index:
//! Ferragina & Manzini 2000, doi:10.1109/SFCS.2000.892127) narrows the rows down to those that
//! contain a literal which every match needs; they are searched all the same, so an index changes
//! the time and never the answer. Rows that the index does not cover are read as without one.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Builder, LargeStringArray, RecordBatch, StringBuilder,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef, UInt64Type};
use datafusion::logical_expr::Expr;
use futures::{StreamExt, TryStreamExt};
use lance_index::IndexType;
use lance_index::scalar::{BuiltinIndexType, ScalarIndexParams};
use penstock_motif::{
    Alphabet, MatchOptions, Motif, Overlaps, Pattern, Scratch, Strand, reverse_complement,
};
use penstock_store::{IndexInfo, IndexRequest, Scan, Store, Table};
use penstock_types::columns::{ID, LENGTH, PARENT, SEQUENCE};
use penstock_types::{Kind, TableName};

use crate::exact::set_filter;
use crate::nearest::ROW;
use crate::rows::{self, Row};
use crate::{IndexError, Result, column};

/// The most hits that one search answers.
pub const MAX_HITS: usize = 100_000;
/// The most letters on either side of a hit.
pub const MAX_CONTEXT: usize = 1_000;
/// Hits that a search answers where it is not said.
const DEFAULT_HITS: usize = 10_000;
/// Bytes and rows of sequences per batch.
const BATCH_BYTES: u64 = 2 << 20;
const BATCH_ROWS: usize = 4_096;
/// Literals that an index is asked for, at most.
const MAX_LITERALS: usize = 64;
/// An index locates every occurrence of a literal by itself, in some 0.3 ms (measured on a local
/// disk), where reading and searching a letter takes 1.6 ns. So a literal must be rarer than this
/// per letter.
const WORTH_SHARE: f64 = 4e-6;
/// Letters of the longest sequence that an index is built for: the suffix array of a sequence is
/// made in one piece, with some 14 bytes per letter.
const MAX_INDEXED_LETTERS: u64 = 64 << 20;

/// One search for a motif.
#[derive(Debug, Clone, PartialEq)]
pub struct MotifRequest {
    /// The pattern: PROSITE's syntax, see [`penstock_motif`]. Over amino acids in a table of
    /// proteins, over nucleotide codes in one of DNA.
    pub pattern: String,
    /// The column of sequences.
    pub column: String,
    /// Search the reverse complement too; without effect for proteins.
    pub both_strands: bool,
    /// Which of overlapping hits are reported.
    pub overlaps: Overlaps,
    /// SQL predicate that every row with a hit satisfies.
    pub filter: Option<String>,
    /// Search windows of contigs too. Their hits are those of the contig once more.
    pub windows: bool,
    /// How many hits, from 1 to [`MAX_HITS`].
    pub limit: usize,
    /// Columns of the rows with hits, in this order.
    pub columns: Vec<String>,
    /// Read every sequence instead of asking an index.
    pub scan: bool,
    /// Letters of the sequence that are reported on either side of a hit, at most
    /// [`MAX_CONTEXT`].
    pub context: usize,
}

impl MotifRequest {
    /// A search with the defaults: column `sequence`, both strands, no windows, every overlap, the
    /// index where there is one.
    #[must_use]
    pub fn new(pattern: impl Into<String>) -> Self {
        Self {
            pattern: pattern.into(),
            column: SEQUENCE.to_owned(),
            both_strands: true,
            overlaps: Overlaps::default(),
            filter: None,
            windows: false,
            limit: DEFAULT_HITS,
            columns: vec![ID.to_owned()],
            scan: false,
            context: 0,
        }
    }
}

/// The occurrences, and how they were found.
#[derive(Debug, Clone)]
pub struct MotifAnswer {
    /// Version of the table that was searched.
    pub version: u64,
    /// The column of sequences.
    pub column: String,
    /// Whether these are all hits; else there are more than the limit.
    pub complete: bool,
    /// Whether an index narrowed the rows down.
    pub used_index: bool,
    /// Rows that no index of substrings covers.
    pub unindexed_rows: u64,
    /// Sequences that were read and searched, after predicate and index.
    pub candidates: u64,
    /// Letters of these sequences.
    pub scanned: u64,
    /// One row per hit, in the order of the table and then of the sequence: `id` Utf8; `start` and
    /// `end` Int64, first letter from 0 and one past the last, as the sequence is stored; `strand`
    /// Utf8, `+` or `-`; `text` Utf8, the letters as that strand reads; `before` and `after` Utf8, the letters on
    /// either side as that strand reads. None is null.
    pub hits: RecordBatch,
    /// One row per row with hits, in the same order: the requested columns.
    pub rows: RecordBatch,
}

/// Finds the occurrences of a pattern in a column of sequences.
///
/// Sequences come in batches of 2 MiB, or of one sequence where it is longer, and as many batches
/// as there are cores are in memory at once. Dropping the future ends the work.
///
/// # Errors
/// The pattern cannot be read; the request does not fit the table; or reading fails.
pub async fn motif(table: &Table, request: &MotifRequest) -> Result<MotifAnswer> {
    if !(1..=MAX_HITS).contains(&request.limit) {
        return Err(IndexError::Option {
            option: "limit",
            given: request.limit,
            min: 1,
            max: MAX_HITS,
        });
    }
    if request.context > MAX_CONTEXT {
        return Err(IndexError::Option {
            option: "context",
            given: request.context,
            min: 0,
            max: MAX_CONTEXT,
        });
    }
    check_column(table, &request.column)?;
    column::projected(table, &request.columns)?;
    let options = MatchOptions {
        both_strands: request.both_strands,
        overlaps: request.overlaps,
    };
    let pattern = Pattern::parse(&request.pattern, alphabet(table, &request.column)?)?;
    let motif = Motif::new(pattern, options);

    let index = index(table, &request.column).await?;
    let unindexed_rows = match &index {
        Some(info) => info.unindexed_rows,
        None => table.count_rows(None).await?,
    };
    let literals = motif
        .required(MAX_LITERALS)
        .filter(|required| index.is_some() && !request.scan && required.share <= WORTH_SHARE)
        .map(|required| required.literals);

    let failed = IndexError::read(table);
    let mut scan = table.dataset().scan();
    scan.project(&[ID, request.column.as_str()])
        .map_err(&failed)?;
    scan.with_row_id().scan_in_order(true);
    scan.batch_size(BATCH_ROWS).batch_size_bytes(BATCH_BYTES);
    set_filter(&mut scan, table, request.filter.as_deref())?;
    let mut conditions: Vec<Expr> = scan
        .get_expr_filter()
        .map_err(&failed)?
        .into_iter()
        .collect();
    if table.kind() == Kind::Dna && !request.windows {
        conditions.push(condition(table, &format!("`{PARENT}` IS NULL"))?);
    }
    if let Some(literals) = &literals {
        conditions.push(condition(table, &contains(&request.column, literals))?);
    }
    if let Some(all) = conditions.into_iter().reduce(Expr::and) {
        scan.filter_expr(all);
    }
    let batches = scan.try_into_stream().await.map_err(&failed)?;

    let at_once = penstock_hnsw::threads::threads(0);
    let search = Arc::new(Search {
        motif,
        column: request.column.clone(),
        limit: request.limit,
        context: request.context,
        stop: AtomicBool::new(false),
    });
    // Workers that nobody waits for any more end at their next look.
    let _stop = StopOnDrop(Arc::clone(&search));
    let found = batches
        .map_err(&failed)
        .map(|batch| {
            let search = Arc::clone(&search);
            async move {
                let batch = batch?;
                tokio::task::spawn_blocking(move || search.batch(&batch)).await?
            }
        })
        .buffered(at_once);
    futures::pin_mut!(found);
    let mut answer = Collected::default();
    while !answer.full
        && let Some(part) = found.try_next().await?
    {
        answer.add(part, request.limit);
    }
    Ok(MotifAnswer {
        version: table.version(),
        column: request.column.clone(),
        complete: !answer.full,
        used_index: literals.is_some(),
        unindexed_rows,
        candidates: answer.sequences,
        scanned: answer.letters,
        rows: rows::read(table, &answer.rows, &request.columns).await?,
        hits: answer.hits.finish()?,
    })
}

/// Builds the index of substrings of a column, under the table's maintenance lease, or builds it
/// anew. It takes about half as many bytes as there are letters, and in memory some 14 bytes per
/// letter of 16 MiB of sequences, or of the longest one, per core.
///
/// Compaction drops the rows that it moves from the index; they are read as rows without an index
/// until `Store::optimize` or another build.
///
/// # Errors
/// The column holds no sequences, or one that is too long; somebody else holds the lease; the store
/// fails.
pub async fn build_motif_index(store: &Store, name: &TableName, column: &str) -> Result<IndexInfo> {
    let table = store.table(name).await?;
    check_column(&table, column)?;
    let longest = longest(&table, column).await?;
    if longest > MAX_INDEXED_LETTERS {
        return Err(IndexError::SequenceLength {
            column: column.to_owned(),
            letters: longest,
            max: MAX_INDEXED_LETTERS,
        });
    }
    let params = ScalarIndexParams::for_builtin(BuiltinIndexType::Fm);
    let request = IndexRequest {
        column,
        kind: IndexType::Fm,
        name: Some(format!("{column}_motif")),
        params: &params,
        replace: true,
    };
    let info = store.build_index(name, request).await?;
    tracing::info!(
        table = %name, column, rows = info.indexed_rows, longest, version = info.version,
        "motif index built"
    );
    Ok(info)
}

/// Letters of the longest sequence.
async fn longest(table: &Table, column: &str) -> Result<u64> {
    // The contract keeps the length of the sequences; of another column the text must be read.
    let known = column == SEQUENCE;
    let read = if known { LENGTH } else { column };
    let mut batches = table.scan(Scan::columns([read])).await?;
    let mut longest = 0;
    while let Some(batch) = batches.try_next().await? {
        let lengths = batch.column(0);
        let of_batch = if known {
            let lengths = lengths.as_primitive::<Int64Type>();
            arrow::compute::max(lengths)
                .unwrap_or_default()
                .unsigned_abs()
        } else {
            let texts = cast(lengths, &DataType::LargeUtf8)?;
            let texts = texts.as_string::<i64>();
            texts
                .iter()
                .flatten()
                .map(|text| text.len() as u64)
                .max()
                .unwrap_or_default()
        };
        longest = longest.max(of_batch);
    }
    Ok(longest)
}

fn check_column(table: &Table, name: &str) -> Result<()> {
    let (_, schema) = column::projected(table, &[name.to_owned()])?;
    match schema.field(0).data_type() {
        DataType::Utf8 | DataType::LargeUtf8 => Ok(()),
        found => Err(IndexError::ColumnType {
            table: table.name().to_string(),
            column: name.to_owned(),
            wanted: "sequences",
            found: found.to_string(),
        }),
    }
}

fn alphabet(table: &Table, column: &str) -> Result<Alphabet> {
    match table.kind() {
        Kind::Protein => Ok(Alphabet::Protein),
        Kind::Dna => Ok(Alphabet::Dna),
        Kind::Mesh | Kind::Graph => Err(IndexError::ColumnType {
            table: table.name().to_string(),
            column: column.to_owned(),
            wanted: "sequences",
            found: "text of meshes".to_owned(),
        }),
    }
}

/// The column's index of substrings.
async fn index(table: &Table, column: &str) -> Result<Option<IndexInfo>> {
    let indexes = table.indexes().await?;
    Ok(indexes
        .into_iter()
        .find(|info| info.column == column && info.kind.eq_ignore_ascii_case("fm")))
}

/// Literals are letters, so there is nothing to quote.
fn contains(column: &str, literals: &[String]) -> String {
    let one = |literal: &String| format!("contains(`{column}`, '{literal}')");
    literals.iter().map(one).collect::<Vec<_>>().join(" OR ")
}

/// A condition of our own, as Lance reads it.
fn condition(table: &Table, text: &str) -> Result<Expr> {
    let failed = IndexError::read(table);
    let mut scan = table.dataset().scan();
    scan.filter(text).map_err(&failed)?;
    scan.get_expr_filter()
        .map_err(&failed)?
        .ok_or(IndexError::Invariant {
            what: "a condition was lost",
        })
}

struct Search {
    motif: Motif,
    column: String,
    limit: usize,
    context: usize,
    stop: AtomicBool,
}

struct StopOnDrop(Arc<Search>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop.store(true, Relaxed);
    }
}

/// What one batch holds.
#[derive(Default)]
struct Part {
    sequences: u64,
    letters: u64,
    rows: Vec<(Row, Vec<Found>)>,
}

struct Found {
    start: usize,
    end: usize,
    strand: Strand,
    text: String,
    before: String,
    after: String,
}

impl Search {
    fn batch(&self, batch: &RecordBatch) -> Result<Part> {
        let column = |name: &str| {
            batch.column_by_name(name).ok_or(IndexError::Invariant {
                what: "a scan left out a column that it was asked for",
            })
        };
        let places = column(ROW)?.as_primitive::<UInt64Type>();
        let ids = column(ID)?.as_string::<i32>();
        let sequences = cast(column(&self.column)?, &DataType::LargeUtf8)?;
        let sequences: &LargeStringArray = sequences.as_string();
        let (mut part, mut scratch, mut left) =
            (Part::default(), Scratch::default(), self.limit + 1);
        for row in 0..batch.num_rows() {
            if left == 0 {
                break;
            }
            if sequences.is_null(row) {
                continue;
            }
            let letters = sequences.value(row).as_bytes();
            part.sequences += 1;
            part.letters += letters.len() as u64;
            let mut found = Vec::new();
            // That it was stopped needs no handling: nobody reads the answer then.
            let _ended = self.motif.find(letters, &mut scratch, &self.stop, |hit| {
                let read = |letters: &[u8]| {
                    let letters = match hit.strand {
                        Strand::Plus => letters.to_vec(),
                        Strand::Minus => reverse_complement(letters),
                    };
                    String::from_utf8_lossy(&letters).into_owned()
                };
                let lower = &letters[hit.start.saturating_sub(self.context)..hit.start];
                let upper = &letters[hit.end..letters.len().min(hit.end + self.context)];
                let (before, after) = match hit.strand {
                    Strand::Plus => (lower, upper),
                    Strand::Minus => (upper, lower),
                };
                found.push(Found {
                    start: hit.start,
                    end: hit.end,
                    strand: hit.strand,
                    text: read(&letters[hit.start..hit.end]),
                    before: read(before),
                    after: read(after),
                });
                left -= 1;
                if left == 0 {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            });
            if !found.is_empty() {
                let row = Row {
                    row: places.value(row),
                    id: ids.value(row).to_owned(),
                };
                part.rows.push((row, found));
            }
        }
        Ok(part)
    }
}

/// The hits so far.
#[derive(Default)]
struct Collected {
    sequences: u64,
    letters: u64,
    rows: Vec<Row>,
    hits: Hits,
    /// There was one hit more than wanted.
    full: bool,
}

impl Collected {
    fn add(&mut self, part: Part, limit: usize) {
        self.sequences += part.sequences;
        self.letters += part.letters;
        for (row, found) in part.rows {
            let left = limit - self.hits.start.values_slice().len();
            self.full = found.len() > left;
            for hit in found.iter().take(left) {
                self.hits.push(&row.id, hit);
            }
            if left > 0 {
                self.rows.push(row);
            }
            if self.full {
                return;
            }
        }
    }
}

#[derive(Default)]
struct Hits {
    id: StringBuilder,
    start: Int64Builder,
    end: Int64Builder,
    strand: StringBuilder,
    text: StringBuilder,
    before: StringBuilder,
    after: StringBuilder,
}

impl Hits {
    fn push(&mut self, id: &str, hit: &Found) {
        self.id.append_value(id);
        // Positions are below the length of a text in memory.
        self.start.append_value(hit.start as i64);
        self.end.append_value(hit.end as i64);
        self.strand.append_value(hit.strand.as_str());
        self.text.append_value(&hit.text);
        self.before.append_value(&hit.before);
        self.after.append_value(&hit.after);
    }

    fn schema() -> SchemaRef {
        let field = |name, data_type| Field::new(name, data_type, false);
        Arc::new(Schema::new(vec![
            field("id", DataType::Utf8),
            field("start", DataType::Int64),
            field("end", DataType::Int64),
            field("strand", DataType::Utf8),
            field("text", DataType::Utf8),
            field("before", DataType::Utf8),
            field("after", DataType::Utf8),
        ]))
    }

    fn finish(mut self) -> Result<RecordBatch> {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.id.finish()),
            Arc::new(self.start.finish()),
            Arc::new(self.end.finish()),
            Arc::new(self.strand.finish()),
            Arc::new(self.text.finish()),
            Arc::new(self.before.finish()),
            Arc::new(self.after.finish()),
        ];
        Ok(RecordBatch::try_new(Self::schema(), columns)?)
    }
}
