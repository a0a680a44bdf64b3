//! The device on which tensors live.

use std::sync::LazyLock;

use candle_core::Device;

static DEVICE: LazyLock<Device> = LazyLock::new(pick);

/// The device picked when the first encoder was made: the first GPU where this crate was built
/// with the feature `cuda` and one answers, else the CPU.
#[must_use]
pub fn device() -> &'static Device {
    &DEVICE
}

#[cfg(feature = "cuda")]
fn pick() -> Device {
    // A machine without a GPU runs the same binary on its CPU; the vectors are the same.
    Device::new_cuda(0).unwrap_or(Device::Cpu)
}

#[cfg(not(feature = "cuda"))]
fn pick() -> Device {
    Device::Cpu
}
