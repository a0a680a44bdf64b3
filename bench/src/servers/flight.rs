//! Searches by Flight's DoExchange: a stream that stays open, one message of vectors at a time.

use std::pin::Pin;
use std::sync::Arc;

use anyhow::{Context, Result};
use arrow::record_batch::RecordBatch;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::{FlightClient, FlightDescriptor};
use futures::{StreamExt as _, TryStreamExt as _};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use super::load::Ask;
use super::penstock::add_hits;

/// One exchange. Each has a runtime of one thread, which is the load generator's own.
pub(super) struct Exchange {
    runtime: Runtime,
    sent: mpsc::Sender<RecordBatch>,
    answers: Pin<Box<FlightRecordBatchStream>>,
    batches: Arc<Vec<RecordBatch>>,
    /// Vectors sent so far: the server counts on.
    vectors: i64,
}

impl Exchange {
    pub(super) fn open(
        address: &str,
        command: &str,
        batches: Arc<Vec<RecordBatch>>,
    ) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (sent, queue) = mpsc::channel::<RecordBatch>(1);
        let schema = batches.first().context("there are queries")?.schema();
        let descriptor = FlightDescriptor::new_cmd(command.to_owned());
        let written = futures::stream::unfold(queue, |mut queue| async move {
            let batch = queue.recv().await?;
            Some((Ok(batch), queue))
        });
        let messages = FlightDataEncoderBuilder::new()
            .with_schema(schema)
            .with_flight_descriptor(Some(descriptor))
            .build(written);
        let endpoint = tonic::transport::Endpoint::new(address.to_owned())?.tcp_nodelay(true);
        let answers = runtime.block_on(async {
            let mut client = FlightClient::new(endpoint.connect().await?);
            anyhow::Ok(client.do_exchange(messages.boxed()).await?)
        })?;
        Ok(Self {
            runtime,
            sent,
            answers: Box::pin(answers),
            batches,
            vectors: 0,
        })
    }

    fn exchange(&mut self, request: usize) -> Result<RecordBatch> {
        let batch = self.batches[request].clone();
        self.vectors += i64::try_from(batch.num_rows())?;
        let (sent, answers) = (&self.sent, &mut self.answers);
        self.runtime.block_on(async {
            sent.send(batch).await?;
            answers
                .try_next()
                .await?
                .context("every message is answered")
        })
    }
}

impl Ask for Exchange {
    fn ask(&mut self, request: usize) -> Result<()> {
        self.exchange(request)?;
        Ok(())
    }

    fn answers(&mut self, request: usize) -> Result<Vec<Vec<u32>>> {
        let first = self.vectors;
        let answer = self.exchange(request)?;
        let mut found = vec![Vec::new(); self.batches[request].num_rows()];
        add_hits(&answer, first, &mut found)?;
        Ok(found)
    }
}
