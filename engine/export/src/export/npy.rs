//! NumPy files.

use futures::TryStreamExt;

use super::Job;
use super::files::Stream;
use crate::error::Result;
use crate::npy;
use crate::rows::RowBlock;

/// One file for each array. The header comes first, as the shape is known.
pub(super) async fn write(job: &mut Job<'_>) -> Result<()> {
    for array in &job.snapshot.manifest().arrays {
        let block = job.block(array).await?;
        let name = format!("{}.npy", array.name.replace('/', "."));
        let file = Stream::new(job.folder.join(name));
        let header = npy::header(block.dtype(), &block.shape());
        if let Err(error) = pour(job, &file, header, block).await {
            file.abandon().await;
            return Err(error);
        }
        let bytes = file.finish().await?;
        job.wrote(bytes);
    }
    Ok(())
}

async fn pour(job: &Job<'_>, file: &Stream, header: Vec<u8>, block: RowBlock) -> Result<()> {
    let mut going = file.push(header.into()).await;
    let mut pieces = block.stream(None)?;
    while going {
        job.check()?;
        let Some(piece) = pieces.try_next().await? else {
            break;
        };
        going = file.push(piece).await;
    }
    Ok(())
}
