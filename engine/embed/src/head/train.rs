//! Fitting a head, pass by pass over records that are streamed.
//!
//! One pass takes means and counts; each further one is an epoch. What is in memory does not grow
//! with the records: residues are shuffled within [`SHUFFLED`] bytes of vectors, and between those
//! they keep the order of the stream. While an epoch learns, the weights that the epoch before
//! left are judged by the validation records that come by in the same pass; so an epoch is one
//! read of the records, and the last weights are judged in a pass that learns nothing.
//!
//! The optimiser is AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101), with weight decay on the
//! weights and not on the biases. Weights begin uniform within sqrt(6 / inputs) before a ReLU or
//! GELU (He et al. 2015, arXiv:1502.01852), within 1 / sqrt(inputs) before the scores.

use candle_core::{D, Device, Tensor, Var};
use candle_nn::optim::{AdamW, Optimizer as _, ParamsAdamW};
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::metrics::check;
use super::{
    Head, HeadActivation, HeadFault, HeadShape, Layer, MASKED, Metrics, Tally, standardise,
};

/// Bytes of vectors within which residues are shuffled.
const SHUFFLED: usize = 64 << 20;

/// A number that hardly changes over the residues is not blown up.
const LEAST_DEVIATION: f64 = 1e-6;

/// How a head is fitted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeadOptions {
    /// Width of the layer between; `None`: the head is linear.
    pub hidden: Option<usize>,
    /// The function after it.
    pub activation: HeadActivation,
    /// Epochs at most.
    pub epochs: usize,
    /// Epochs without a lower validation loss after which it ends.
    pub patience: usize,
    /// Step length of the optimiser.
    pub learning_rate: f64,
    /// Decay of the weights.
    pub weight_decay: f64,
    /// Residues per step.
    pub batch: usize,
    /// Whether each class weighs the same in the loss, however rare it is.
    pub balanced: bool,
    /// Decides the first weights and the order of residues.
    pub seed: u64,
}

impl Default for HeadOptions {
    fn default() -> Self {
        Self {
            hidden: None,
            activation: HeadActivation::Relu,
            epochs: 50,
            patience: 5,
            learning_rate: 1e-3,
            weight_decay: 1e-2,
            batch: 512,
            balanced: false,
            seed: 0,
        }
    }
}

impl HeadOptions {
    /// Whether the options make sense together.
    ///
    /// # Errors
    /// One does not.
    pub fn check(&self) -> Result<(), HeadFault> {
        let positive = [
            ("hidden", self.hidden.unwrap_or(1)),
            ("epochs", self.epochs),
            ("patience", self.patience),
            ("batch", self.batch),
        ];
        if let Some((option, _)) = positive.iter().find(|(_, value)| *value == 0) {
            return Err(HeadFault::Option {
                option,
                expected: "at least 1",
            });
        }
        if !(self.learning_rate.is_finite() && self.learning_rate > 0.0) {
            return Err(HeadFault::Option {
                option: "learning rate",
                expected: "a number above 0",
            });
        }
        if !(self.weight_decay.is_finite() && self.weight_decay >= 0.0) {
            return Err(HeadFault::Option {
                option: "weight decay",
                expected: "a number, 0 or more",
            });
        }
        Ok(())
    }
}

/// Takes the means, deviations and class counts of the training records, before the first epoch.
#[derive(Debug)]
pub struct HeadTrainer {
    shape: HeadShape,
    options: HeadOptions,
    counts: Vec<u64>,
    mean: Vec<f64>,
    /// Sums of squared deviations from the mean.
    squares: Vec<f64>,
}

impl HeadTrainer {
    /// A trainer of heads on vectors of `dim` numbers.
    ///
    /// # Errors
    /// An option makes no sense, or there are not between 2 and 255 classes.
    pub fn new(dim: usize, classes: &[&str], options: HeadOptions) -> Result<Self, HeadFault> {
        options.check()?;
        if !(2..=usize::from(MASKED)).contains(&classes.len()) {
            return Err(HeadFault::Option {
                option: "classes",
                expected: "between 2 and 255",
            });
        }
        if dim == 0 {
            return Err(HeadFault::Width { given: 0, dim });
        }
        Ok(Self {
            shape: HeadShape {
                classes: classes.iter().map(|&class| class.to_owned()).collect(),
                dim,
                hidden: options.hidden,
                activation: options.activation,
            },
            counts: vec![0; classes.len()],
            mean: vec![0.0; dim],
            squares: vec![0.0; dim],
            options,
        })
    }

    /// Takes in one training record: vectors `[residues, dim]` and a label for each, of which
    /// those that are [`MASKED`] are not looked at.
    ///
    /// # Errors
    /// Labels and vectors do not belong together.
    pub fn look(&mut self, features: &[f32], labels: &[u8]) -> Result<(), HeadFault> {
        let dim = self.shape.dim;
        fits(features, labels, dim, self.counts.len())?;
        for (row, label) in features.chunks_exact(dim).zip(labels) {
            if *label == MASKED {
                continue;
            }
            self.counts[usize::from(*label)] += 1;
            // Welford's sums: no difference of two large numbers.
            let n = self.counts.iter().sum::<u64>() as f64;
            for ((x, mean), squares) in row.iter().zip(&mut self.mean).zip(&mut self.squares) {
                let away = f64::from(*x) - *mean;
                *mean += away / n;
                *squares += away * (f64::from(*x) - *mean);
            }
        }
        Ok(())
    }

    /// Begins the epochs.
    ///
    /// # Errors
    /// There was no labelled residue, or none of some class.
    pub fn start(self) -> Result<Training, HeadFault> {
        let total: u64 = self.counts.iter().sum();
        if total == 0 {
            return Err(HeadFault::Empty { split: "training" });
        }
        if let Some(class) = self.counts.iter().position(|count| *count == 0) {
            return Err(HeadFault::NoExample {
                class: self.shape.classes[class].clone(),
            });
        }
        let scale = self.squares.iter().map(|squares| {
            let deviation = (squares / total as f64).sqrt();
            (1.0 / deviation.max(LEAST_DEVIATION)) as f32
        });
        let k = self.counts.len() as f64;
        let weights = self.counts.iter().map(|count| match self.options.balanced {
            true => (total as f64 / (k * *count as f64)) as f32,
            false => 1.0,
        });
        let majority = (0..self.counts.len())
            .rev()
            .max_by_key(|&class| self.counts[class])
            .unwrap_or_default();
        let mut rng = ChaCha8Rng::seed_from_u64(self.options.seed);
        let net = Net::new(&self.shape, &mut rng)?;
        let optimiser = |vars, weight_decay| {
            let params = ParamsAdamW {
                lr: self.options.learning_rate,
                weight_decay,
                ..ParamsAdamW::default()
            };
            AdamW::new(vars, params)
        };
        let row = self.shape.dim * size_of::<f32>();
        Ok(Training {
            optimisers: [
                optimiser(net.weights.clone(), self.options.weight_decay)?,
                optimiser(net.biases.clone(), 0.0)?,
            ],
            capacity: (SHUFFLED / row / self.options.batch).max(1) * self.options.batch,
            mean: self.mean.iter().map(|mean| *mean as f32).collect(),
            scale: scale.collect(),
            class_weights: weights.collect(),
            validation: Tally::new(&self.shape.classes),
            shape: self.shape,
            options: self.options,
            net,
            rng,
            majority,
            features: Vec::new(),
            labels: Vec::new(),
            loss: (0.0, 0.0),
            losses: Vec::new(),
            epochs: Vec::new(),
            judged: None,
            best: None,
            is_done: false,
        })
    }
}

fn fits(features: &[f32], labels: &[u8], dim: usize, classes: usize) -> Result<(), HeadFault> {
    if !features.len().is_multiple_of(dim) {
        return Err(HeadFault::Width {
            given: features.len(),
            dim,
        });
    }
    check(labels, features.len() / dim, classes)
}

/// The weights while they are fitted.
#[derive(Debug)]
struct Net {
    weights: Vec<Var>,
    biases: Vec<Var>,
    activation: HeadActivation,
    device: Device,
}

impl Net {
    fn new(shape: &HeadShape, rng: &mut ChaCha8Rng) -> Result<Self, HeadFault> {
        let device = crate::device().clone();
        let classes = shape.classes.len();
        let widths = match shape.hidden {
            None => vec![(shape.dim, classes)],
            Some(hidden) => vec![(shape.dim, hidden), (hidden, classes)],
        };
        let (mut weights, mut biases) = (Vec::new(), Vec::new());
        for (at, (inputs, outputs)) in widths.iter().copied().enumerate() {
            let is_last = at + 1 == widths.len();
            let gain: f32 = if is_last { 1.0 } else { 6.0 };
            let bound = (gain / inputs as f32).sqrt();
            let drawn: Vec<f32> = (0..inputs * outputs)
                .map(|_| rng.random_range(-bound..bound))
                .collect();
            let weight = Tensor::from_vec(drawn, (outputs, inputs), &device)?;
            weights.push(Var::from_tensor(&weight)?);
            biases.push(Var::zeros(outputs, candle_core::DType::F32, &device)?);
        }
        Ok(Self {
            weights,
            biases,
            activation: shape.activation,
            device,
        })
    }

    /// Scores `[rows, classes]` of `[rows, dim]`.
    fn scores(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let mut x = x.clone();
        for (at, (weight, bias)) in self.weights.iter().zip(&self.biases).enumerate() {
            x = x.matmul(&weight.t()?)?.broadcast_add(bias)?;
            if at + 1 < self.weights.len() {
                x = match self.activation {
                    HeadActivation::Relu => x.relu()?,
                    HeadActivation::Gelu => x.gelu_erf()?,
                };
            }
        }
        Ok(x)
    }

    fn layers(&self) -> Result<Vec<Layer>, HeadFault> {
        self.weights
            .iter()
            .zip(&self.biases)
            .map(|(weight, bias)| {
                let inputs = weight.dim(1)?;
                let weight = weight.flatten_all()?.to_vec1()?;
                Ok(Layer::new(weight, bias.to_vec1()?, inputs))
            })
            .collect()
    }
}

/// What one epoch came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Its number, from 1.
    pub epoch: usize,
    /// Mean loss while it learned; with balanced classes, weighted by them.
    pub training_loss: f64,
    /// Mean loss of the validation split after it, each residue weighing the same.
    pub validation_loss: f64,
    /// Share of validation residues that are right after it.
    pub validation_q3: f64,
}

/// A head that is being fitted. Every pass gives it the same records; [`Self::end_pass`] says
/// whether another is wanted.
#[derive(Debug)]
pub struct Training {
    shape: HeadShape,
    options: HeadOptions,
    net: Net,
    optimisers: [AdamW; 2],
    rng: ChaCha8Rng,
    mean: Vec<f32>,
    scale: Vec<f32>,
    class_weights: Vec<f32>,
    majority: usize,
    /// Residues that wait to be shuffled, at most `capacity`.
    capacity: usize,
    features: Vec<f32>,
    labels: Vec<u8>,
    /// Sums of this pass: of weighted losses, and of weights.
    loss: (f64, f64),
    /// Mean loss of each epoch that learned.
    losses: Vec<f64>,
    epochs: Vec<Epoch>,
    /// The weights that the last epoch left.
    judged: Option<Head>,
    validation: Tally,
    best: Option<(Epoch, Head, Metrics)>,
    is_done: bool,
}

/// A fitted head, and how it came to be.
#[derive(Debug, Clone)]
pub struct Trained {
    /// The head, with the weights of the best epoch.
    pub head: Head,
    /// That epoch, from 1.
    pub best_epoch: usize,
    /// Every epoch that was judged.
    pub epochs: Vec<Epoch>,
    /// How it does on the validation split.
    pub validation: Metrics,
    /// The most frequent class of the training split.
    pub majority: usize,
}

impl Training {
    /// Whether this pass learns: then it wants the training records. The last one does not.
    #[must_use]
    pub fn is_learning(&self) -> bool {
        self.losses.len() < self.options.epochs
    }

    /// Whether this pass judges the weights of an epoch: then it wants the validation records.
    /// The first one does not.
    #[must_use]
    pub fn is_judging(&self) -> bool {
        self.judged.is_some()
    }

    /// Learns from one training record: vectors `[residues, dim]`, and a label for each.
    ///
    /// # Errors
    /// Labels and vectors do not belong together; the loss is not finite.
    pub fn train(&mut self, features: &[f32], labels: &[u8]) -> Result<(), HeadFault> {
        let dim = self.shape.dim;
        fits(features, labels, dim, self.class_weights.len())?;
        if !self.is_learning() {
            return Ok(());
        }
        for (row, label) in features.chunks_exact(dim).zip(labels) {
            if *label == MASKED {
                continue;
            }
            self.features.extend_from_slice(row);
            self.labels.push(*label);
            if self.labels.len() == self.capacity {
                self.learn()?;
            }
        }
        Ok(())
    }

    /// Judges the last epoch's weights by one validation record.
    ///
    /// # Errors
    /// Labels and vectors do not belong together.
    pub fn validate(&mut self, features: &[f32], labels: &[u8]) -> Result<(), HeadFault> {
        fits(features, labels, self.shape.dim, self.class_weights.len())?;
        if let Some(head) = &self.judged {
            self.validation
                .add(labels, &head.log_probabilities(features)?)?;
        }
        Ok(())
    }

    /// Ends a pass; answers the epoch that it judged. No pass is wanted when [`Self::is_done`].
    ///
    /// # Errors
    /// The validation split has no labelled residue; the loss is not finite.
    pub fn end_pass(&mut self) -> Result<Option<Epoch>, HeadFault> {
        let learned = self.is_learning();
        if learned {
            self.learn()?;
            self.losses.push(self.loss.0 / self.loss.1);
            self.loss = (0.0, 0.0);
        }
        let mut judged = None;
        if let Some(head) = self.judged.take() {
            let empty = Tally::new(&self.shape.classes);
            let tally = std::mem::replace(&mut self.validation, empty);
            let metrics = tally.metrics(self.majority).ok_or(HeadFault::Empty {
                split: "validation",
            })?;
            let number = self.epochs.len() + 1;
            if !metrics.loss.is_finite() {
                return Err(HeadFault::Diverged { epoch: number });
            }
            let epoch = Epoch {
                epoch: number,
                training_loss: self.losses[number - 1],
                validation_loss: metrics.loss,
                validation_q3: metrics.q3,
            };
            self.epochs.push(epoch.clone());
            let best = self.best.as_ref();
            if best.is_none_or(|(best, ..)| epoch.validation_loss < best.validation_loss) {
                self.best = Some((epoch.clone(), head, metrics));
            } else if best.is_some_and(|(best, ..)| number - best.epoch >= self.options.patience) {
                self.is_done = true;
            }
            judged = Some(epoch);
        }
        if learned {
            self.judged = Some(self.head()?);
        } else {
            self.is_done = true;
        }
        Ok(judged)
    }

    /// Whether the head is settled.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.is_done
    }

    /// The head.
    ///
    /// # Errors
    /// No epoch was judged: the passes were ended too early.
    pub fn finish(self) -> Result<Trained, HeadFault> {
        let (best, head, validation) = self.best.ok_or(HeadFault::Empty {
            split: "validation",
        })?;
        Ok(Trained {
            head,
            best_epoch: best.epoch,
            epochs: self.epochs,
            validation,
            majority: self.majority,
        })
    }

    fn head(&self) -> Result<Head, HeadFault> {
        Ok(Head {
            shape: self.shape.clone(),
            mean: self.mean.clone(),
            scale: self.scale.clone(),
            layers: self.net.layers()?,
        })
    }

    /// Shuffles the residues that wait and learns from them.
    fn learn(&mut self) -> Result<(), HeadFault> {
        let dim = self.shape.dim;
        let features = std::mem::take(&mut self.features);
        let labels = std::mem::take(&mut self.labels);
        let mut order: Vec<usize> = (0..labels.len()).collect();
        order.shuffle(&mut self.rng);
        for batch in order.chunks(self.options.batch) {
            let mut x = Vec::with_capacity(batch.len() * dim);
            for &at in batch {
                x.extend_from_slice(&features[at * dim..(at + 1) * dim]);
            }
            standardise(&mut x, &self.mean, &self.scale);
            let y: Vec<u8> = batch.iter().map(|&at| labels[at]).collect();
            self.step(x, &y)?;
        }
        Ok(())
    }

    fn step(&mut self, x: Vec<f32>, labels: &[u8]) -> Result<(), HeadFault> {
        let device = &self.net.device;
        let rows = labels.len();
        let weights: Vec<f32> = labels
            .iter()
            .map(|label| self.class_weights[usize::from(*label)])
            .collect();
        let total: f32 = weights.iter().sum();
        let x = Tensor::from_vec(x, (rows, self.shape.dim), device)?;
        let labels: Vec<u32> = labels.iter().map(|label| u32::from(*label)).collect();
        let y = Tensor::from_vec(labels, (rows, 1), device)?;
        let weights = Tensor::from_vec(weights, (rows, 1), device)?;
        let scores = candle_nn::ops::log_softmax(&self.net.scores(&x)?, D::Minus1)?;
        let sum = (scores.gather(&y, 1)? * weights)?.sum_all()?;
        let loss = (sum * (-1.0 / f64::from(total)))?;
        let gradients = loss.backward()?;
        let loss = f64::from(loss.to_scalar::<f32>()?);
        if !loss.is_finite() {
            return Err(HeadFault::Diverged {
                epoch: self.losses.len() + 1,
            });
        }
        for optimiser in &mut self.optimisers {
            optimiser.step(&gradients)?;
        }
        self.loss.0 += loss * f64::from(total);
        self.loss.1 += f64::from(total);
        Ok(())
    }
}
