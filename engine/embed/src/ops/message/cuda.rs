//! Message passing on an NVIDIA GPU: `kernels.cu`, compiled by NVRTC when it is first needed.
//! (Candle's `index_add` walks the rows of all edges one after another.)

use std::sync::OnceLock;

use candle_core::cuda_backend::cudarc::driver::{
    CudaFunction, CudaSlice, CudaView, LaunchConfig, PushKernelArg,
};
use candle_core::cuda_backend::cudarc::nvrtc::compile_ptx;
use candle_core::cuda_backend::{CudaError, WrapErr};
use candle_core::{CudaDevice, CudaStorage, Device, Layout, Shape};

use super::{Attended, Gathered, width_of};
use crate::graph::Graph;
use crate::ops::{Candle, Reduce};

/// Threads of a block.
const BLOCK: usize = 256;

/// A graph in the memory of a GPU.
pub(super) struct Placed {
    offsets: CudaSlice<u64>,
    senders: CudaSlice<u32>,
}

impl Placed {
    /// None where tensors are on the CPU.
    pub(super) fn new(graph: &Graph, device: &Device) -> Candle<Option<Self>> {
        let Device::Cuda(device) = device else {
            return Ok(None);
        };
        // No memory of no length is given out.
        let senders = match graph.senders() {
            [] => &[0][..],
            senders => senders,
        };
        Ok(Some(Self {
            offsets: device.clone_htod(graph.offsets())?,
            senders: device.clone_htod(senders)?,
        }))
    }
}

fn kernel(device: &CudaDevice, name: &str) -> Candle<CudaFunction> {
    static PTX: OnceLock<String> = OnceLock::new();
    let ptx = match PTX.get() {
        Some(ptx) => ptx,
        None => {
            let compiled = compile_ptx(include_str!("kernels.cu")).map_err(CudaError::from)?;
            PTX.get_or_init(|| compiled.to_src())
        }
    };
    let loaded = device.get_or_load_custom_func(name, "penstock-message", ptx)?;
    Ok(loaded.into_cuda_function())
}

fn threads(count: usize) -> LaunchConfig {
    LaunchConfig {
        grid_dim: (count.div_ceil(BLOCK) as u32, 1, 1),
        block_dim: (BLOCK as u32, 1, 1),
        shared_mem_bytes: 0,
    }
}

fn view<'a>(storage: &'a CudaStorage, layout: &Layout) -> Candle<CudaView<'a, f32>> {
    let (from, to) = layout
        .contiguous_offsets()
        .ok_or_else(|| candle_core::Error::RequiresContiguous { op: "message" }.bt())?;
    Ok(storage.as_cuda_slice::<f32>()?.slice(from..to))
}

fn on_gpu<'a>(graph: &'a super::Placed<'_>) -> Candle<&'a Placed> {
    match &graph.on_gpu {
        Some(placed) => Ok(placed),
        None => candle_core::bail!("the graph was placed on the CPU, and its rows on a GPU"),
    }
}

pub(super) fn gather(
    op: &Gathered<'_>,
    storage: &CudaStorage,
    layout: &Layout,
) -> Candle<(CudaStorage, Shape)> {
    let graph = op.graph.graph;
    let placed = on_gpu(op.graph)?;
    let device = &storage.device;
    let stream = device.cuda_stream();
    let (rows, width) = (graph.vertices(), width_of(layout, graph)?);
    let x = view(storage, layout)?;
    let mut out = device.alloc_zeros::<f32>(rows * width)?;
    let function = kernel(device, "gather")?;
    let sizes = [rows as u64, width as u64];
    let reduce: u32 = match op.reduce {
        Reduce::Sum => 0,
        Reduce::Mean => 1,
        Reduce::Max => 2,
    };
    let (has_own, own) = (u32::from(op.own.is_some()), op.own.unwrap_or(0.0));
    let mut launch = stream.launch_builder(&function);
    launch.arg(&x).arg(&placed.offsets).arg(&placed.senders);
    launch.arg(&mut out).arg(&sizes[0]).arg(&sizes[1]);
    launch.arg(&reduce).arg(&has_own).arg(&own);
    #[expect(unsafe_code, reason = "a kernel's arguments are not checked")]
    // SAFETY: the arguments are those of `gather` in kernels.cu; `x` and `out` have `rows` rows of
    // `width` numbers, and a graph names vertices only.
    unsafe { launch.launch(threads(rows * width)) }.w()?;
    let out = CudaStorage::wrap_cuda_slice(out, device.clone());
    Ok((out, Shape::from((rows, width))))
}

/// `parts` are values, scores and weights, as [`super::attend`] takes them.
pub(super) fn attend(
    op: &Attended<'_>,
    parts: [(&CudaStorage, &Layout); 3],
) -> Candle<(CudaStorage, Shape)> {
    let [
        (values, values_layout),
        (scores, scores_layout),
        (weights, weights_layout),
    ] = parts;
    let graph = op.graph.graph;
    let placed = on_gpu(op.graph)?;
    let device = &values.device;
    let stream = device.cuda_stream();
    let width = width_of(values_layout, graph)?;
    let (channels, outputs) = op.widths(width)?;
    let (rows, heads) = (graph.vertices(), op.heads.heads);
    let expected = if op.heads.pair { width } else { 2 * heads };
    let pair = !op.heads.pair || weights_layout.shape().elem_count() == width;
    if scores_layout.shape().dims2()? != (rows, expected) || !pair {
        candle_core::bail!("scores or weights do not fit {rows} rows of {heads} heads");
    }
    let sizes = [rows as u64, heads as u64, channels as u64];
    let values = view(values, values_layout)?;
    let given = view(scores, scores_layout)?;
    let mut each = device.alloc_zeros::<f32>((graph.edges() * heads).max(1))?;
    if op.heads.pair {
        let weights = view(weights, weights_layout)?;
        let function = kernel(device, "scores_of_pairs")?;
        let mut launch = stream.launch_builder(&function);
        launch.arg(&values).arg(&given).arg(&weights);
        launch
            .arg(&placed.offsets)
            .arg(&placed.senders)
            .arg(&mut each);
        launch
            .arg(&sizes[0])
            .arg(&sizes[1])
            .arg(&sizes[2])
            .arg(&op.heads.slope);
        #[expect(unsafe_code, reason = "a kernel's arguments are not checked")]
        // SAFETY: the arguments are those of `scores_of_pairs`; shapes were compared above, and
        // `each` has a number for every edge and head.
        unsafe { launch.launch(threads(rows * heads)) }.w()?;
    } else {
        let function = kernel(device, "scores_of_parts")?;
        let mut launch = stream.launch_builder(&function);
        launch.arg(&given).arg(&placed.offsets).arg(&placed.senders);
        launch
            .arg(&mut each)
            .arg(&sizes[0])
            .arg(&sizes[1])
            .arg(&op.heads.slope);
        #[expect(unsafe_code, reason = "a kernel's arguments are not checked")]
        // SAFETY: as above, of `scores_of_parts`.
        unsafe { launch.launch(threads(rows * heads)) }.w()?;
    }
    let mut out = device.alloc_zeros::<f32>(rows * outputs)?;
    let mean = u32::from(op.heads.mean);
    let function = kernel(device, "attend")?;
    let mut launch = stream.launch_builder(&function);
    launch
        .arg(&values)
        .arg(&each)
        .arg(&placed.offsets)
        .arg(&placed.senders);
    launch
        .arg(&mut out)
        .arg(&sizes[0])
        .arg(&sizes[1])
        .arg(&sizes[2])
        .arg(&mean);
    #[expect(unsafe_code, reason = "a kernel's arguments are not checked")]
    // SAFETY: as above, of `attend`; `out` has `rows` rows of `outputs` numbers.
    unsafe { launch.launch(threads(rows * outputs)) }.w()?;
    let out = CudaStorage::wrap_cuda_slice(out, device.clone());
    Ok((out, Shape::from((rows, outputs))))
}
