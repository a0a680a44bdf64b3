//! Graph files: `t/v/e`, lists of edges, GraphML, METIS.
//!
//! A file is one graph, named by the file, or for GraphML the union of those that it holds. It is
//! in memory while it is read, up to `limits.max_record_bytes` of file; its rows leave in batches.
//! Edges of a list have a direction where the caller says so; GraphML says it itself. Loops are left
//! out and edges that stand twice become one: a list from the net has both.

use std::io::{BufRead, BufReader, Read};

use arrow::array::RecordBatch;
use penstock_graph::rows::{self, Origin};
use penstock_graph::{GraphError, Named};
use penstock_pattern::format::edge_list::{self, Third};
use penstock_pattern::format::{ReadOptions, graphml, metis, tve};
use penstock_pattern::{Graph, Loops, Parallel};

use crate::batch::{Rows, Sink};
use crate::reader::RecordReader;
use crate::{Format, Position, ReadContext, ReadError};

type Data = BufReader<Box<dyn Read + Send>>;
type Batches = Box<dyn Iterator<Item = Result<RecordBatch, GraphError>> + Send>;

/// A file of one graph.
pub(crate) struct GraphFile {
    format: Format,
    directed: bool,
    id: String,
    data: Option<Data>,
    batches: Option<Batches>,
}

impl GraphFile {
    /// With `directed`, edges have a direction; the format can say so.
    pub(crate) fn new(format: Format, directed: bool, id: String, data: Data) -> Self {
        Self {
            format,
            directed,
            id,
            data: Some(data),
            batches: None,
        }
    }

    fn parse(
        &self,
        data: impl BufRead,
    ) -> Result<(Graph, Vec<String>), penstock_pattern::PatternError> {
        let options = ReadOptions {
            directed: self.directed,
            loops: Loops::Drop,
            parallel: Parallel::Collapse,
        };
        Ok(match self.format {
            Format::EdgeList => {
                let list = edge_list::read(data, Third::Weight, &options)?;
                let names = list.ids.iter().map(u32::to_string).collect();
                (list.graph, names)
            }
            Format::GraphMl => (graphml::read_graph(data, &options)?, Vec::new()),
            Format::Metis => (metis::read(data)?, Vec::new()),
            _ => (tve::read_graph(data, &options)?, Vec::new()),
        })
    }

    fn open(&mut self, ctx: &ReadContext, mut data: Data) -> Result<(), ReadError> {
        let limit = ctx.limits.max_record_bytes;
        let failed = |source: GraphError| ReadError::Graph {
            file: ctx.file.clone(),
            source: Box::new(source),
        };
        let mut bounded = (&mut data).take(limit.saturating_add(1));
        let parsed = self.parse(BufReader::new(&mut bounded));
        if bounded.limit() == 0 {
            return Err(ctx.too_large(Position::Byte(limit)));
        }
        let (graph, names) = parsed.map_err(|source| {
            failed(GraphError::Graph {
                graph: self.id.clone(),
                source,
            })
        })?;
        if self.directed && !graph.is_directed() {
            return Err(ReadError::Undirected {
                file: ctx.file.clone(),
                format: self.format,
            });
        }
        // A parser may stop before the end; the checksum of compressed data comes after it.
        std::io::copy(&mut data, &mut std::io::sink()).map_err(|error| ctx.io(error))?;
        let named = Named {
            id: self.id.clone(),
            description: None,
            graph,
            names,
            positions: Vec::new(),
        };
        let origin = Origin {
            source: ctx.source.clone(),
            event_time: ctx.event_time,
        };
        self.batches = Some(Box::new(rows::write(named, origin).map_err(failed)?));
        Ok(())
    }
}

impl RecordReader for GraphFile {
    fn read(&mut self, ctx: &mut ReadContext, sink: &mut Sink) -> Result<bool, ReadError> {
        if let Some(data) = self.data.take() {
            self.open(ctx, data)?;
            ctx.report.records += 1;
        }
        let Some(batch) = self.batches.as_mut().and_then(Iterator::next) else {
            return Ok(false);
        };
        let batch = batch.map_err(|source| ReadError::Graph {
            file: ctx.file.clone(),
            source: Box::new(source),
        })?;
        if let Rows::Whole(batches) = &mut sink.rows {
            batches.push_back(batch);
        }
        Ok(true)
    }

    fn resynchronise(&mut self, _: &ReadContext) -> Result<Option<Position>, ReadError> {
        Ok(None)
    }
}
