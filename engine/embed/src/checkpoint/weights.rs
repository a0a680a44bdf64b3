//! Tensors by name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use candle_core::safetensors::MmapedSafetensors;
use candle_core::{DType, Device, Tensor};

use super::CheckpointFault;
use super::fault::TensorFaults;
use crate::EmbedError;
use crate::error::tensor;
use crate::kernel::NormKind;
use crate::model::transformer::{Affine, NormWeights};

/// The tensors that a model has, with their shapes.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    shapes: BTreeMap<String, Vec<usize>>,
    ignored: Vec<&'static str>,
}

impl Expected {
    pub(crate) fn tensor(&mut self, name: impl Into<String>, shape: &[usize]) {
        self.shapes.insert(name.into(), shape.to_vec());
    }

    /// `prefix.weight` of `[outputs, inputs]`, and `prefix.bias` where there is one.
    pub(crate) fn affine(&mut self, prefix: &str, inputs: usize, outputs: usize, bias: bool) {
        self.tensor(format!("{prefix}.weight"), &[outputs, inputs]);
        if bias {
            self.tensor(format!("{prefix}.bias"), &[outputs]);
        }
    }

    /// `prefix.weight` and, where there is one, `prefix.bias` of `[width]`.
    pub(crate) fn norm(&mut self, prefix: &str, width: usize, bias: bool) {
        self.tensor(format!("{prefix}.weight"), &[width]);
        if bias {
            self.tensor(format!("{prefix}.bias"), &[width]);
        }
    }

    /// Tensors whose name contains one of these may be there and are not read: language-model
    /// heads, and buffers that are computed.
    pub(crate) fn ignore(&mut self, parts: &[&'static str]) {
        self.ignored.extend_from_slice(parts);
    }
}

/// The weights of a checkpoint, mapped from its files.
pub(crate) struct Weights {
    files: MmapedSafetensors,
    /// Name without the wrapper's prefix, and the name in the file.
    names: BTreeMap<String, String>,
}

/// A name without the wrapper's prefix, and with a norm's weight and bias called so: some writers
/// keep the names gamma and beta, which TensorFlow gave them.
fn plain(name: &str, prefix: &str) -> String {
    let name = name.strip_prefix(prefix).unwrap_or(name);
    if let Some(norm) = name.strip_suffix(".gamma") {
        format!("{norm}.weight")
    } else if let Some(norm) = name.strip_suffix(".beta") {
        format!("{norm}.bias")
    } else {
        name.to_owned()
    }
}

impl Weights {
    /// Maps the files. Names may stand with or without `prefix`.
    pub(crate) fn open(paths: &[PathBuf], prefix: &str) -> Result<Self, CheckpointFault> {
        #[expect(
            unsafe_code,
            reason = "a weights file of several GB is mapped, not read; changing it while a model \
                      is loaded is as wrong as changing a shared library in use"
        )]
        // SAFETY: the files are opened for reading and nothing here writes them.
        let files = unsafe { MmapedSafetensors::multi(paths) }.map_err(CheckpointFault::Weights)?;
        let names = files
            .tensors()
            .into_iter()
            .map(|(name, _)| (plain(&name, prefix), name))
            .collect();
        Ok(Self { files, names })
    }

    /// Lets a tensor be read by another name, where the files have it by that of a twin only.
    pub(crate) fn alias(&mut self, name: &str, twin: &str) {
        if !self.has(name)
            && let Some(stored) = self.names.remove(twin)
        {
            self.names.insert(name.to_owned(), stored);
        }
    }

    /// Whether there is such a tensor.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    /// The shape of a tensor.
    pub(crate) fn shape(&self, name: &str) -> Option<Vec<usize>> {
        let view = self.files.get(self.names.get(name)?).ok()?;
        Some(view.shape().to_vec())
    }

    /// Compares names and shapes with what the model has.
    pub(crate) fn check(&self, expected: &Expected) -> Result<(), CheckpointFault> {
        let mut faults = TensorFaults::default();
        for (name, shape) in &expected.shapes {
            match self.shape(name) {
                None => faults.missing.push(name.clone()),
                Some(given) if given != *shape => {
                    faults.misshapen.push((name.clone(), given, shape.clone()));
                }
                Some(_) => {}
            }
        }
        let known: BTreeSet<&String> = expected.shapes.keys().collect();
        faults.extra = self
            .names
            .keys()
            .filter(|name| {
                !known.contains(name) && !expected.ignored.iter().any(|part| name.contains(part))
            })
            .cloned()
            .collect();
        if faults.is_empty() {
            return Ok(());
        }
        Err(CheckpointFault::Tensors(faults))
    }

    /// A tensor in single precision.
    pub(crate) fn get(&self, name: &str) -> Result<Tensor, EmbedError> {
        let name = self.names.get(name).map_or(name, String::as_str);
        self.files
            .load(name, &Device::Cpu)
            .and_then(|t| t.to_dtype(DType::F32))
            .map_err(tensor("reading a weight"))
    }

    /// `prefix.weight`, and `prefix.bias` where the file has it.
    pub(crate) fn affine(&self, prefix: &str) -> Result<Affine, EmbedError> {
        Ok(Affine {
            weight: self.get(&format!("{prefix}.weight"))?,
            bias: self.optional(&format!("{prefix}.bias"))?,
        })
    }

    /// Several maps of one input as one.
    pub(crate) fn affines(&self, prefixes: &[String]) -> Result<Affine, EmbedError> {
        let parts = prefixes
            .iter()
            .map(|prefix| self.affine(prefix))
            .collect::<Result<Vec<_>, _>>()?;
        let stack =
            |tensors: &[&Tensor]| Tensor::cat(tensors, 0).map_err(tensor("joining weights"));
        let weights: Vec<&Tensor> = parts.iter().map(|part| &part.weight).collect();
        let biases: Option<Vec<&Tensor>> = parts.iter().map(|part| part.bias.as_ref()).collect();
        Ok(Affine {
            weight: stack(&weights)?,
            bias: biases.map(|biases| stack(&biases)).transpose()?,
        })
    }

    pub(crate) fn norm(
        &self,
        prefix: &str,
        kind: NormKind,
        epsilon: f64,
    ) -> Result<NormWeights, EmbedError> {
        Ok(NormWeights {
            kind,
            epsilon: epsilon as f32,
            weight: self.get(&format!("{prefix}.weight"))?,
            bias: self.optional(&format!("{prefix}.bias"))?,
        })
    }

    fn optional(&self, name: &str) -> Result<Option<Tensor>, EmbedError> {
        self.has(name).then(|| self.get(name)).transpose()
    }

    /// BLAKE3 over the tensors that the model reads: name, shape, type and bytes, in the order of
    /// the names. How they are spread over files does not matter.
    pub(crate) fn digest(&self, expected: &Expected, hasher: &mut blake3::Hasher) {
        for name in expected.shapes.keys() {
            let Some(view) = self.names.get(name).and_then(|n| self.files.get(n).ok()) else {
                continue;
            };
            let head = format!("{name} {:?} {:?}\n", view.dtype(), view.shape());
            hasher.update(head.as_bytes());
            hasher.update_rayon(view.data());
        }
    }
}
