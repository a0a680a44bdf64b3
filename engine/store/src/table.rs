//! One version of one table, for reading.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use lance::Dataset;
use lance::datafusion::LanceTableProvider;
use penstock_types::{FeatureSpec, Kind, TableName, columns};

use crate::error::{Result, StoreError};

/// One version of one table. It never changes under its reader. Cheap to clone.
#[derive(Clone)]
pub struct Table {
    name: TableName,
    kind: Kind,
    schema: SchemaRef,
    dataset: Arc<Dataset>,
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table")
            .field("name", &self.name)
            .field("version", &self.version())
            .finish_non_exhaustive()
    }
}

/// Counts of one version of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableStats {
    /// Rows that a reader sees.
    pub rows: u64,
    /// Rows that were deleted or replaced and whose bytes are still stored with the version.
    pub deleted_rows: u64,
    /// Fragments, the units in which rows are stored.
    pub fragments: usize,
    /// Bytes of the version's data files, where they are known.
    pub data_bytes: u64,
    /// Versions of the table that were not cleaned up.
    pub versions: usize,
    /// Indexes.
    pub indexes: usize,
}

impl Table {
    pub(crate) fn new(name: TableName, dataset: Arc<Dataset>) -> Result<Self> {
        let schema = Arc::new(Schema::from(dataset.schema()));
        let kind = columns::kind_of(&schema).ok_or_else(|| StoreError::Foreign {
            table: name.clone(),
        })?;
        Ok(Self {
            name,
            kind,
            schema,
            dataset,
        })
    }

    /// The table.
    #[must_use]
    pub fn name(&self) -> &TableName {
        &self.name
    }

    /// The version.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.dataset.version_id()
    }

    /// What the table holds.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The columns: those of the contract in its order, then the feature columns.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// One column.
    ///
    /// # Errors
    /// There is no such column.
    pub fn column(&self, column: &str) -> Result<&Field> {
        self.schema
            .field_with_name(column)
            .map_err(|_| StoreError::NoColumn {
                table: self.name.clone(),
                column: column.to_owned(),
                has: names(&self.schema),
            })
    }

    /// The feature columns. A column whose metadata is damaged is left out.
    #[must_use]
    pub fn features(&self) -> Vec<(String, FeatureSpec)> {
        let spec = |field: &Arc<Field>| {
            let spec = FeatureSpec::of(field).ok().flatten()?;
            Some((field.name().clone(), spec))
        };
        self.schema.fields().iter().filter_map(spec).collect()
    }

    /// What one feature column says of itself.
    ///
    /// # Errors
    /// There is no such column, it is no feature column, or its metadata is damaged.
    pub fn feature(&self, column: &str) -> Result<FeatureSpec> {
        FeatureSpec::of(self.column(column)?)?.ok_or_else(|| StoreError::NoFeature {
            table: self.name.clone(),
            column: column.to_owned(),
        })
    }

    /// The Lance table, for reading. Whoever writes through it bypasses the checksums, the sync
    /// before a commit and the lease: write through [`crate::Store`].
    #[must_use]
    pub fn dataset(&self) -> &Arc<Dataset> {
        &self.dataset
    }

    /// The table as DataFusion reads it.
    #[must_use]
    pub fn provider(&self) -> Arc<dyn TableProvider> {
        Arc::new(LanceTableProvider::new(self.dataset.clone(), false, false))
    }

    /// Counts of this version.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn stats(&self) -> Result<TableStats> {
        let lance = |error| StoreError::lance(&self.name, error);
        let deleted = self.dataset.count_deleted_rows().await.map_err(lance)?;
        let versions = self.dataset.count_versions().await.map_err(lance)?;
        let data_bytes = self
            .dataset
            .fragments()
            .iter()
            .flat_map(|fragment| &fragment.files)
            .filter_map(|file| file.file_size_bytes.get())
            .map(u64::from)
            .sum();
        Ok(TableStats {
            rows: self.count_rows(None).await?,
            deleted_rows: deleted as u64,
            fragments: self.dataset.count_fragments(),
            data_bytes,
            versions: usize::try_from(versions).unwrap_or(usize::MAX),
            indexes: self.indexes().await?.len(),
        })
    }
}

/// The names of all columns, for messages.
pub(crate) fn names(schema: &Schema) -> String {
    let names: Vec<&str> = schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    names.join(", ")
}
