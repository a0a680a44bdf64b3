//! Who makes the rows of the column `dominance`.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use penstock_pattern::{DominanceRecipe, Graph, Rows};

use crate::{GraphError, Result};

/// Makes the rows of a graph's vertices, the same as [`DominanceRecipe::embed`].
pub type MakeRows =
    dyn Fn(&DominanceRecipe, &Graph) -> Result<Rows, Box<dyn Error + Send + Sync>> + Send + Sync;

/// Makes the rows of the column `dominance`: [`DominanceRecipe::embed`], or what was given in its
/// place, such as a layer of tensors. This crate knows none.
#[derive(Clone, Default)]
pub struct RowMaker(Option<Arc<MakeRows>>);

impl RowMaker {
    /// Rows by this function, which must give what [`DominanceRecipe::embed`] gives: a row above it
    /// in some coordinate only costs time, one below it makes searches miss matches.
    pub fn new(
        make: impl Fn(&DominanceRecipe, &Graph) -> Result<Rows, Box<dyn Error + Send + Sync>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self(Some(Arc::new(make)))
    }

    /// The rows of a graph, whose name is for errors.
    ///
    /// # Errors
    /// The rows could not be made, or are not one for each vertex.
    pub(super) fn rows(&self, name: &str, recipe: &DominanceRecipe, graph: &Graph) -> Result<Rows> {
        let Some(make) = &self.0 else {
            return recipe.embed(graph).map_err(|source| GraphError::Graph {
                graph: name.to_owned(),
                source,
            });
        };
        let rows = make(recipe, graph).map_err(|source| GraphError::Dominance {
            graph: name.to_owned(),
            source,
        })?;
        let numbers = graph.vertices() * recipe.buckets;
        if (rows.width, rows.values.len()) != (recipe.buckets, numbers) {
            return Err(GraphError::DominanceShape {
                graph: name.to_owned(),
                given: rows.values.len(),
                expected: numbers,
            });
        }
        Ok(rows)
    }
}

impl fmt::Debug for RowMaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            None => "RowMaker(integers)",
            Some(_) => "RowMaker(given)",
        })
    }
}

/// The same function, not one that does the same.
impl PartialEq for RowMaker {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}

impl Eq for RowMaker {}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;
    use arrow::datatypes::UInt16Type;
    use penstock_pattern::GraphBuilder;
    use penstock_types::columns::DOMINANCE;

    use super::*;
    use crate::Named;
    use crate::rows::{Origin, write_by};

    fn named() -> Named {
        let builder = GraphBuilder {
            labels: vec![1, 2, 3],
            edges: vec![(0, 1), (1, 2)],
            ..GraphBuilder::default()
        };
        Named {
            id: "path".into(),
            description: None,
            graph: builder.build().unwrap(),
            names: Vec::new(),
            positions: Vec::new(),
        }
    }

    #[test]
    fn the_column_holds_what_was_made() {
        let maker = RowMaker::new(|recipe, graph| {
            let rows = recipe.embed(graph)?;
            let values = rows.values.iter().map(|number| number + 5).collect();
            Ok(Rows { values, ..rows })
        });
        let column = |maker: &RowMaker| -> Vec<u16> {
            let batches = write_by(named(), Origin::default(), maker).unwrap();
            let last = batches.last().unwrap().unwrap();
            let lists = last.column_by_name(DOMINANCE).unwrap();
            let values = lists.as_fixed_size_list().values();
            values.as_primitive::<UInt16Type>().values().to_vec()
        };
        let own = column(&RowMaker::default());
        assert_eq!(own.len(), 3 * 16);
        let raised: Vec<u16> = own.iter().map(|number| number + 5).collect();
        assert_eq!(column(&maker), raised);
    }

    #[test]
    fn rows_of_another_shape_are_refused() {
        let short = RowMaker::new(|recipe, _| {
            Ok(Rows {
                width: recipe.buckets,
                values: vec![0; recipe.buckets],
            })
        });
        let failing = RowMaker::new(|_, _| Err("no device".into()));
        for (maker, says) in [(short, "16 numbers"), (failing, "path")] {
            let error = write_by(named(), Origin::default(), &maker).err().unwrap();
            assert!(error.to_string().contains(says), "{error}");
        }
    }

    #[test]
    fn makers_are_equal_where_they_are_one() {
        let maker = RowMaker::new(|recipe, graph| Ok(recipe.embed(graph)?));
        assert_eq!(maker, maker.clone());
        assert_eq!(RowMaker::default(), RowMaker::default());
        assert_ne!(maker, RowMaker::default());
        assert_ne!(
            maker,
            RowMaker::new(|recipe, graph| Ok(recipe.embed(graph)?))
        );
    }
}
