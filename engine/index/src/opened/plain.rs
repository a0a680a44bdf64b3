//! Vectors of one fragment as they lie in its file.

use std::fs::File;
use std::path::PathBuf;
use std::sync::OnceLock;

use arrow::datatypes::DataType;
use half::f16;
use lance::Dataset;
use lance::dataset::fragment::FileFragment;
use lance_encoding::decoder::{PageEncoding, PageInfo};
use lance_encoding::format::metadata::compressive_encoding::Compression;
use lance_encoding::format::metadata::full_zip_layout::Details;
use lance_encoding::format::metadata::page_layout::Layout;
use lance_encoding::format::metadata::{CompressiveEncoding, FullZipLayout};
use lance_io::scheduler::{ScanScheduler, SchedulerConfig};

type Result<T> = std::result::Result<T, lance::Error>;

/// A column of vectors in a local file, none of them compressed.
pub(super) struct Plain {
    path: PathBuf,
    file: OnceLock<File>,
    /// By their first row.
    pages: Vec<Page>,
    number: Number,
    dim: usize,
}

/// What a vector is made of, little-endian.
#[derive(Clone, Copy)]
enum Number {
    F16,
    F32,
}

impl Number {
    fn bytes(self) -> usize {
        match self {
            Self::F16 => 2,
            Self::F32 => 4,
        }
    }
}

/// Rows that lie one after the other.
struct Page {
    first: u64,
    rows: u64,
    /// Where the first begins in the file.
    offset: u64,
    /// Bytes before the numbers of each: zero where there is a vector.
    control: usize,
}

/// What a vector is read into.
#[derive(Default)]
pub(super) struct Space {
    bytes: Vec<u8>,
    numbers: Vec<f32>,
}

impl Plain {
    /// The vectors of a fragment; `None` where they are not in a local file, or not plainly.
    pub(super) async fn of(
        dataset: &Dataset,
        fragment: &FileFragment,
        column: &str,
        number: &DataType,
        dim: usize,
    ) -> Result<Option<Self>> {
        let number = match number {
            DataType::Float16 => Number::F16,
            DataType::Float32 => Number::F32,
            _ => return Ok(None),
        };
        let store = dataset.object_store(None).await?;
        let Some(field) = dataset.schema().field(column) else {
            return Ok(None);
        };
        let holder = fragment.metadata().files.iter().find_map(|file| {
            let at = file.fields.iter().position(|id| *id == field.id)?;
            let column = usize::try_from(*file.column_indices.get(at)?).ok()?;
            Some((file, column))
        });
        let Some((file, column)) = holder.filter(|(file, _)| file.base_id.is_none()) else {
            return Ok(None);
        };
        if !(cfg!(unix) && store.has_direct_local_paths()) {
            return Ok(None);
        }
        let path = dataset.data_dir().join(file.path.as_str());
        let here = PathBuf::from(format!("/{path}"));
        if !here.is_file() {
            return Ok(None);
        }
        let config = SchedulerConfig::max_bandwidth(&store);
        let scheduler = ScanScheduler::new(store, config);
        let opened = scheduler.open_file(&path, &file.file_size_bytes).await?;
        let metadata = fragment.get_file_metadata(&opened).await?;
        let Some(column) = metadata.column_infos.get(column) else {
            return Ok(None);
        };
        let mut pages = Vec::with_capacity(column.page_infos.len());
        let mut first = 0;
        for info in column.page_infos.iter() {
            let Some(page) = Page::of(info, first, number, dim) else {
                return Ok(None);
            };
            first += page.rows;
            pages.push(page);
        }
        if first != fragment.physical_rows().await? as u64 {
            return Ok(None);
        }
        Ok(Some(Self {
            path: here,
            file: OnceLock::new(),
            pages,
            number,
            dim,
        }))
    }

    /// The vector of a row, by its offset in the fragment; `None` where it has none.
    pub(super) fn read<'s>(&self, row: u32, space: &'s mut Space) -> Result<Option<&'s [f32]>> {
        let row = u64::from(row);
        let after = self.pages.partition_point(|page| page.first <= row);
        let page = after.checked_sub(1).and_then(|at| self.pages.get(at));
        let Some(page) = page.filter(|page| row - page.first < page.rows) else {
            return Err(lance::Error::internal("a row that was found is in no page"));
        };
        let stride = page.control + self.dim * self.number.bytes();
        space.bytes.resize(stride, 0);
        let at = page.offset + (row - page.first) * stride as u64;
        read_at(self.file()?, &mut space.bytes, at)?;
        let (control, numbers) = space.bytes.split_at(page.control);
        if control.iter().any(|byte| *byte != 0) {
            return Ok(None);
        }
        space.numbers.clear();
        match self.number {
            Number::F16 => space.numbers.extend(
                numbers
                    .as_chunks::<2>()
                    .0
                    .iter()
                    .map(|bytes| f16::from_le_bytes(*bytes).to_f32()),
            ),
            Number::F32 => space.numbers.extend(
                numbers
                    .as_chunks::<4>()
                    .0
                    .iter()
                    .map(|bytes| f32::from_le_bytes(*bytes)),
            ),
        }
        Ok(Some(&space.numbers))
    }

    fn file(&self) -> Result<&File> {
        if let Some(file) = self.file.get() {
            return Ok(file);
        }
        let file = File::open(&self.path)?;
        Ok(self.file.get_or_init(|| file))
    }
}

impl Page {
    /// A page that starts with this row; `None` where it is written in another way than one vector
    /// after the other.
    fn of(info: &PageInfo, first: u64, number: Number, dim: usize) -> Option<Self> {
        let PageEncoding::Structural(layout) = &info.encoding else {
            return None;
        };
        let Some(Layout::FullZipLayout(zip)) = &layout.layout else {
            return None;
        };
        let bits = 8 * dim * number.bytes();
        let is_plain = zip.bits_rep == 0
            && matches!(zip.details, Some(Details::BitsPerValue(of_one)) if of_one as usize == bits)
            && is_flat(zip);
        // Levels of up to eight bits, of which zero says that there is a vector.
        let control = match zip.bits_def {
            0 => 0,
            1..=8 => 1,
            _ => return None,
        };
        let [(offset, size)] = *info.buffer_offsets_and_sizes else {
            return None;
        };
        let stride = (control + bits / 8) as u64;
        (is_plain && size == info.num_rows * stride).then_some(Self {
            first,
            rows: info.num_rows,
            offset,
            control,
        })
    }
}

/// Whether the numbers of a page are not compressed.
fn is_flat(zip: &FullZipLayout) -> bool {
    let flat = |encoding: &CompressiveEncoding| matches!(&encoding.compression, Some(Compression::Flat(flat)) if flat.data.is_none());
    let Some(values) = &zip.value_compression else {
        return false;
    };
    match &values.compression {
        Some(Compression::FixedSizeList(list)) => {
            !list.has_validity && list.values.as_deref().is_some_and(flat)
        }
        _ => flat(values),
    }
}

#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8], at: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, at)
}

/// Never asked: elsewhere no file is taken for plain.
#[cfg(not(unix))]
fn read_at(_: &File, _: &mut [u8], _: u64) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        Array, ArrayRef, AsArray, FixedSizeListArray, Float32Array, RecordBatch,
        RecordBatchIterator,
    };
    use arrow::buffer::NullBuffer;
    use arrow::compute::cast;
    use arrow::datatypes::{Field, Float32Type, Schema};
    use lance::dataset::WriteParams;
    use lance_file::version::LanceFileVersion;

    use super::*;

    const ROWS: usize = 3_000;

    /// Vectors, of which one in `missing` is not there; its numbers are.
    fn vectors(dim: usize, missing: usize) -> FixedSizeListArray {
        let numbers = (0..ROWS * dim).map(|at| (at / dim * 7 + at % dim) as f32 % 513.0 - 200.0);
        let there = (0..ROWS).map(|row| missing == 0 || row % missing != 1);
        let item = Arc::new(Field::new("item", DataType::Float32, true));
        let numbers = Arc::new(Float32Array::from_iter_values(numbers));
        let there = (missing > 0).then(|| NullBuffer::from_iter(there));
        FixedSizeListArray::try_new(item, dim as i32, numbers, there).unwrap()
    }

    /// Writes a column and reads it back, row by row; answers whether it is plain.
    async fn is_plain(dim: usize, missing: usize, number: DataType, version: &str) -> bool {
        let written = vectors(dim, missing);
        let item = Arc::new(Field::new("item", number.clone(), true));
        let kind = DataType::FixedSizeList(item, dim as i32);
        let column: ArrayRef = cast(&written, &kind).unwrap();
        let schema = Arc::new(Schema::new(vec![Field::new("v", kind, true)]));
        let batch = RecordBatch::try_new(Arc::clone(&schema), vec![column]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let uri = folder.path().join("a table").to_string_lossy().into_owned();
        let params = WriteParams {
            data_storage_version: Some(version.parse::<LanceFileVersion>().unwrap()),
            ..WriteParams::default()
        };
        let batches = RecordBatchIterator::new([Ok(batch)], schema);
        let dataset = Dataset::write(batches, &uri, Some(params)).await.unwrap();
        let fragment = dataset.get_fragments().remove(0);
        let plain = Plain::of(&dataset, &fragment, "v", &number, dim);
        let Some(plain) = plain.await.unwrap() else {
            return false;
        };
        let mut space = Space::default();
        for row in 0..ROWS {
            let read = plain.read(row as u32, &mut space).unwrap();
            let true_one = written.is_valid(row).then(|| written.value(row));
            let true_one = true_one.as_ref().map(|v| v.as_primitive::<Float32Type>());
            assert_eq!(read, true_one.map(|v| &v.values()[..]), "{row}");
        }
        assert!(plain.read(ROWS as u32, &mut space).is_err());
        true
    }

    #[tokio::test]
    async fn vectors_are_read_as_they_were_written() {
        for (dim, missing, number) in [
            (128, 0, DataType::Float32),
            (128, 7, DataType::Float32),
            (65, 3, DataType::Float32),
            (320, 0, DataType::Float16),
            (320, 5, DataType::Float16),
        ] {
            let plain = is_plain(dim, missing, number.clone(), "2.2").await;
            assert!(plain, "{dim} x {number}, one of {missing} missing");
        }
        assert!(is_plain(128, 7, DataType::Float32, "2.1").await);
    }

    #[tokio::test]
    async fn others_are_left_to_lance() {
        // Short vectors share compressed blocks; older files are written in another way.
        assert!(!is_plain(8, 0, DataType::Float32, "2.2").await);
        assert!(!is_plain(128, 0, DataType::Float32, "2.0").await);
        assert!(!is_plain(128, 0, DataType::Float64, "2.2").await);
    }
}
