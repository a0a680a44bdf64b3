//! Files.

use std::fs;
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use futures::TryStreamExt;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use penstock_export::{ExportError, ExportRequest, Exported, Format, Rank, Snapshot, ZarrObject};
use penstock_types::Kind;

use crate::{create, load, request, store};

pub(crate) async fn export(
    snapshot: &Snapshot,
    format: Format,
    out: &Path,
    rank: Option<(u64, u64)>,
) -> Result<Exported, ExportError> {
    let mut request = ExportRequest::whole(format, out);
    request.rank = rank.map(|(rank, of)| Rank::new(rank, of).unwrap());
    snapshot.export(&request).await
}

fn parquet(path: &Path) -> RecordBatch {
    let file = fs::File::open(path).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let schema = reader.schema().clone();
    let batches: Result<Vec<_>, _> = reader.build().unwrap().collect();
    concat_batches(&schema, &batches.unwrap()).unwrap()
}

fn no_temporary_files(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        assert!(
            !name.starts_with(".penstock-") || name == ".penstock-export.json",
            "{name}"
        );
        if entry.file_type().unwrap().is_dir() {
            no_temporary_files(&entry.path());
        }
    }
}

#[tokio::test]
async fn whole_and_by_rank() {
    let (store, folder) = store().await;
    load(&store, Kind::Mesh, 0, 150).await;
    let snapshot = create(&store, &request("s")).await.snapshot;
    let all: Vec<RecordBatch> = snapshot
        .record_batches(None, 0..150)
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    let all = concat_batches(snapshot.schema(), &all).unwrap();

    // Zarr: every key of the tree is a file with the same bytes.
    let zarr = folder.path().join("zarr");
    let done = export(&snapshot, Format::Zarr, &zarr, None).await.unwrap();
    assert_eq!(done.rows, 0..150);
    let chunks: usize = snapshot
        .manifest()
        .arrays
        .iter()
        .map(|a| a.chunks.len())
        .sum();
    assert!(done.files as usize > chunks);
    for array in &snapshot.manifest().arrays {
        let key = format!("{}/zarr.json", array.name);
        let ZarrObject::Metadata(document) = snapshot.zarr_object(&key) else {
            panic!("{key}");
        };
        assert_eq!(fs::read(zarr.join(&key)).unwrap(), document);
        for index in 0..array.chunks.len() as u64 {
            let stored = snapshot.chunk(&array.name, index).await.unwrap();
            assert_eq!(fs::read(zarr.join(array.chunk_key(index))).unwrap(), stored);
        }
    }
    // Nothing else lies in it, and the same export may go over it again.
    assert!(!zarr.join("snapshot.json").exists() && !zarr.join(".penstock-export.json").exists());
    let again = export(&snapshot, Format::Zarr, &zarr, None).await.unwrap();
    assert_eq!(again, done);

    // Parquet: whole, and ranks one after another, are the rows.
    let whole = folder.path().join("parquet");
    export(&snapshot, Format::Parquet, &whole, None)
        .await
        .unwrap();
    assert_eq!(
        parquet(&whole.join("part-00000-of-00001.parquet")).columns(),
        all.columns()
    );
    let ranks = folder.path().join("parquet-ranks");
    let (a, b, c) = tokio::join!(
        export(&snapshot, Format::Parquet, &ranks, Some((0, 3))),
        export(&snapshot, Format::Parquet, &ranks, Some((1, 3))),
        export(&snapshot, Format::Parquet, &ranks, Some((2, 3))),
    );
    assert_eq!(
        [a.unwrap().rows, b.unwrap().rows, c.unwrap().rows],
        [0..50, 50..100, 100..150]
    );
    let parts = (0..3).map(|rank| parquet(&ranks.join(format!("part-{rank:05}-of-00003.parquet"))));
    let parts: Vec<RecordBatch> = parts.collect();
    let joined = concat_batches(parts[0].schema_ref(), &parts).unwrap();
    assert_eq!(joined.columns(), all.columns());

    // NPY: a header and the block.
    let npy = folder.path().join("npy");
    export(&snapshot, Format::Npy, &npy, None).await.unwrap();
    export(&snapshot, Format::Npy, &npy.join("sub"), Some((1, 2)))
        .await
        .unwrap();
    for array in &snapshot.manifest().arrays {
        let file = fs::read(npy.join(format!("{}.npy", array.name.replace('/', ".")))).unwrap();
        let header = penstock_export::npy::header(array.dtype, &array.shape);
        assert!(file.starts_with(&header));
        assert_eq!((file.len() - header.len()) as u64, array.bytes());
    }
    assert!(npy.join("sub/rank-00001-of-00002/snapshot.json").exists());
    no_temporary_files(folder.path());
}

#[tokio::test]
async fn folders_of_others_are_left_alone() {
    let (store, folder) = store().await;
    load(&store, Kind::Dna, 0, 20).await;
    let snapshot = create(&store, &request("s")).await.snapshot;
    let out = folder.path().join("out");
    fs::create_dir(&out).unwrap();
    fs::write(out.join("thesis.tex"), "years").unwrap();
    for format in Format::ALL {
        let error = export(&snapshot, format, &out, None).await.unwrap_err();
        assert!(
            matches!(error, ExportError::ForeignFolder { .. }),
            "{error}"
        );
    }
    assert_eq!(fs::read_dir(&out).unwrap().count(), 1);

    // The same export again goes over its own files; another one does not.
    let own = folder.path().join("own");
    let first = export(&snapshot, Format::Npy, &own, None).await.unwrap();
    assert_eq!(
        export(&snapshot, Format::Npy, &own, None).await.unwrap(),
        first
    );
    let error = export(&snapshot, Format::Zarr, &own, None)
        .await
        .unwrap_err();
    assert!(matches!(error, ExportError::ForeignFolder { .. }));
    load(&store, Kind::Dna, 20, 1).await;
    let newer = create(&store, &request("newer")).await.snapshot;
    let error = export(&newer, Format::Npy, &own, None).await.unwrap_err();
    assert!(matches!(error, ExportError::ForeignFolder { .. }));
}

#[tokio::test]
async fn a_cancelled_export_leaves_no_half_file() {
    let (store, folder) = store().await;
    load(&store, Kind::Dna, 0, 20).await;
    let snapshot = create(&store, &request("s")).await.snapshot;
    for format in Format::ALL {
        let out = folder.path().join(format.as_str());
        let mut request = ExportRequest::whole(format, &out);
        request.cancel = Some(std::sync::Arc::new(|| true));
        let error = snapshot.export(&request).await.unwrap_err();
        assert!(matches!(error, ExportError::Cancelled), "{error}");
        assert!(!out.join("snapshot.json").exists() && !out.join("zarr.json").exists());
        assert!(!out.join("part-00000-of-00001.parquet").exists());
        no_temporary_files(&out);
    }
}
