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

/// Whether tensors live on a GPU.
#[must_use]
pub fn is_gpu() -> bool {
    !device().is_cpu()
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

/// Bytes of a device's memory that nothing uses, where it can tell.
#[cfg(feature = "cuda")]
pub(crate) fn free_memory(device: &Device) -> Option<usize> {
    let stream = device.as_cuda_device().ok()?.cuda_stream();
    let (free, _) = stream.context().mem_get_info().ok()?;
    Some(free)
}

/// Bytes of a device's memory that nothing uses, where it can tell.
#[cfg(not(feature = "cuda"))]
pub(crate) const fn free_memory(_: &Device) -> Option<usize> {
    None
}
