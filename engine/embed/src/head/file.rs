//! Heads as safetensors: `mean`, `scale`, and `layers.N.weight` and `layers.N.bias`, all f32.

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::fault::FileFault;
use super::{Head, HeadFault, HeadShape, Layer};

const WEIGHTS: [&str; 2] = ["layers.0.weight", "layers.1.weight"];
const BIASES: [&str; 2] = ["layers.0.bias", "layers.1.bias"];

impl Head {
    /// The tensors as a safetensors file. The shape is kept beside them by whoever stores it.
    ///
    /// # Errors
    /// The tensors cannot be written, which no head causes.
    pub fn to_safetensors(&self) -> Result<Vec<u8>, HeadFault> {
        let mut tensors: Vec<(&str, Vec<usize>, &[f32])> = vec![
            ("mean", vec![self.mean.len()], &self.mean),
            ("scale", vec![self.scale.len()], &self.scale),
        ];
        for (at, layer) in self.layers.iter().enumerate() {
            let outputs = layer.bias.len();
            tensors.push((WEIGHTS[at], vec![outputs, layer.inputs], &layer.weight));
            tensors.push((BIASES[at], vec![outputs], &layer.bias));
        }
        let bytes: Vec<Vec<u8>> = tensors
            .iter()
            .map(|(_, _, values)| values.iter().flat_map(|x| x.to_le_bytes()).collect())
            .collect();
        let views = tensors
            .iter()
            .zip(&bytes)
            .map(|((name, shape, _), bytes)| {
                Ok((*name, TensorView::new(Dtype::F32, shape.clone(), bytes)?))
            })
            .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()
            .map_err(FileFault::from)?;
        Ok(safetensors::tensor::serialize(views, None).map_err(FileFault::from)?)
    }

    /// Reads what [`Self::to_safetensors`] wrote.
    ///
    /// # Errors
    /// The bytes are no safetensors file, or hold tensors of other shapes.
    pub fn from_safetensors(shape: HeadShape, bytes: &[u8]) -> Result<Self, HeadFault> {
        let file = SafeTensors::deserialize(bytes).map_err(FileFault::from)?;
        let (dim, classes) = (shape.dim, shape.classes.len());
        let mean = read(&file, "mean", &[dim])?;
        let scale = read(&file, "scale", &[dim])?;
        let widths: &[(usize, usize)] = match shape.hidden {
            None => &[(dim, classes)],
            Some(hidden) => &[(dim, hidden), (hidden, classes)],
        };
        let mut layers = Vec::new();
        for (at, &(inputs, outputs)) in widths.iter().enumerate() {
            let weight = read(&file, WEIGHTS[at], &[outputs, inputs])?;
            let bias = read(&file, BIASES[at], &[outputs])?;
            layers.push(Layer::new(weight, bias, inputs));
        }
        Ok(Self {
            shape,
            mean,
            scale,
            layers,
        })
    }
}

fn read(
    file: &SafeTensors<'_>,
    name: &'static str,
    shape: &[usize],
) -> Result<Vec<f32>, FileFault> {
    let tensor = file.tensor(name)?;
    if tensor.dtype() != Dtype::F32 || tensor.shape() != shape {
        return Err(FileFault::Shape {
            name,
            given: format!("{:?} {:?}", tensor.dtype(), tensor.shape()),
            expected: shape.to_vec(),
        });
    }
    Ok(tensor
        .data()
        .chunks_exact(4)
        .map(|x| f32::from_le_bytes([x[0], x[1], x[2], x[3]]))
        .collect())
}
