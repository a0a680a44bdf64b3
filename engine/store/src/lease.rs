//! One maintenance job per table at a time.
//!
//! The state of a table's lease is the last of the files `_penstock/leases/TABLE/NUMBER.json`. It
//! names the holder and the end of the lease, so that a job that died does not block the table for
//! ever. To take, to renew and to give back a lease all mean to create the file with the next
//! number, which exactly one can do, on every store that this crate accepts. Older files are then
//! removed; the last one stays. Whoever, being slow, creates a file whose number was used and
//! removed long ago finds that it is not the last, and has not got the lease.
//!
//! A lease keeps jobs from wasting each other's work. The safety of the data does not hang on it,
//! that is the commit's.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use penstock_types::TableName;
use serde::{Deserialize, Serialize};

use crate::error::{Result, StoreError};
use crate::objects::Objects;
use crate::store::Store;

/// How long a lease lasts when it is not renewed.
const TERM: Duration = Duration::from_secs(120);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Holder {
    owner: String,
    purpose: String,
    until: DateTime<Utc>,
    token: String,
}

/// The right to maintain a table. While it is held, a background task renews it; dropping it gives
/// it back.
#[derive(Debug)]
pub struct Lease {
    table: TableName,
    held: Arc<Held>,
}

#[derive(Debug)]
struct Held {
    files: Files,
    holder: Holder,
    number: tokio::sync::Mutex<u64>,
    lost: AtomicBool,
    /// Whether the lease was given back, or is being; renewals end then.
    over: AtomicBool,
    stop: tokio::sync::Notify,
}

/// The files of one table's lease.
#[derive(Debug, Clone)]
struct Files {
    objects: Objects,
    folder: String,
}

impl Files {
    /// The last number, and who holds it; numbers begin with 1. A file that is no lease is nobody's.
    async fn last(&self) -> Result<(u64, Option<Holder>)> {
        let number = self.numbers().await?.pop().unwrap_or(0);
        if number == 0 {
            return Ok((0, None));
        }
        let bytes = self.objects.get_opt(&self.key(number)).await?;
        Ok((
            number,
            bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()),
        ))
    }

    /// All numbers, ascending.
    async fn numbers(&self) -> Result<Vec<u64>> {
        let prefix = format!("{}/", self.folder);
        let listed = self.objects.list(&self.folder).await?;
        let number = |key: &str| {
            key.strip_prefix(&prefix)?
                .strip_suffix(".json")?
                .parse()
                .ok()
        };
        let mut numbers: Vec<u64> = listed.iter().filter_map(|file| number(&file.key)).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    fn key(&self, number: u64) -> String {
        format!("{}/{number:020}.json", self.folder)
    }

    /// Makes this the state with this number; `false` where another did, or has gone further.
    async fn advance(&self, number: u64, holder: &Holder) -> Result<bool> {
        let bytes = serde_json::to_vec(holder)
            .map(Bytes::from)
            .map_err(|_| StoreError::Internal("a lease is no JSON"))?;
        let key = self.key(number);
        let created = self.objects.put_if_absent(&key, bytes.clone()).await?;
        // Ours all the same: the answer to the first attempt was lost, and it was repeated below us.
        if !created && self.objects.get_opt(&key).await? != Some(bytes) {
            return Ok(false);
        }
        let numbers = self.numbers().await?;
        if numbers.last() != Some(&number) {
            self.objects.delete(&key).await?;
            return Ok(false);
        }
        for older in numbers.iter().filter(|older| **older < number) {
            self.objects.delete(&self.key(*older)).await?;
        }
        Ok(true)
    }
}

impl Store {
    /// Takes the table's maintenance lease.
    ///
    /// # Errors
    /// [`StoreError::Leased`], which says who holds it until when; or the store cannot be written.
    pub async fn lease(&self, name: &TableName, purpose: &str) -> Result<Lease> {
        let files = Files {
            objects: self.objects().clone(),
            folder: format!("leases/{name}"),
        };
        let holder = Holder {
            owner: self.0.options.owner(),
            purpose: purpose.to_owned(),
            until: Utc::now() + TERM,
            token: uuid::Uuid::new_v4().simple().to_string(),
        };
        let (last, is) = files.last().await?;
        let free = is.as_ref().is_none_or(|is| is.until < Utc::now());
        if !free || !files.advance(last + 1, &holder).await? {
            let is = if free { files.last().await?.1 } else { is };
            let (owner, purpose, until) = match is {
                Some(is) => (is.owner, is.purpose, is.until.to_rfc3339()),
                None => ("another job".into(), "maintenance".into(), "soon".into()),
            };
            return Err(StoreError::Leased {
                table: name.clone(),
                owner,
                purpose,
                until,
            });
        }
        let held = Arc::new(Held {
            files,
            holder,
            number: tokio::sync::Mutex::new(last + 1),
            lost: AtomicBool::new(false),
            over: AtomicBool::new(false),
            stop: tokio::sync::Notify::new(),
        });
        tokio::spawn(keep_renewing(held.clone()));
        Ok(Lease {
            table: name.clone(),
            held,
        })
    }
}

impl Held {
    /// Makes the lease end then. It is lost where that cannot be done.
    async fn set_end(&self, number: &mut u64, until: DateTime<Utc>) -> Result<()> {
        let holder = Holder {
            until,
            ..self.holder.clone()
        };
        if self.files.advance(*number + 1, &holder).await? {
            *number += 1;
        } else {
            self.lost.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    async fn renew(&self) -> Result<()> {
        let mut number = self.number.lock().await;
        if self.over.load(Ordering::Relaxed) || self.lost.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.set_end(&mut number, Utc::now() + TERM).await
    }

    /// Gives the lease back, once. A renewal that is under way ends first.
    async fn give_back(&self) -> Result<()> {
        let mut number = self.number.lock().await;
        if self.lost.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.set_end(&mut number, DateTime::UNIX_EPOCH).await
    }

    /// Ends the renewals; answers whether the lease is to be given back by the caller.
    fn end(&self) -> bool {
        let first = !self.over.swap(true, Ordering::Relaxed);
        self.stop.notify_one();
        first
    }
}

async fn keep_renewing(held: Arc<Held>) {
    let mut ticks = tokio::time::interval(TERM / 4);
    ticks.tick().await;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = held.stop.notified() => return,
        }
        if let Err(error) = held.renew().await {
            tracing::warn!(%error, "renewing a lease failed");
        }
    }
}

impl Lease {
    /// Whether the lease is still ours, as far as the last renewal knows.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`].
    pub fn check(&self) -> Result<()> {
        if self.held.lost.load(Ordering::Relaxed) {
            return Err(StoreError::LeaseLost {
                table: self.table.clone(),
            });
        }
        Ok(())
    }

    /// Makes the lease last a full term from now.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`], or the store cannot be written.
    pub async fn renew(&self) -> Result<()> {
        self.check()?;
        self.held.renew().await?;
        self.check()
    }

    /// Gives the lease back.
    ///
    /// # Errors
    /// The store cannot be written; the lease then runs out by itself.
    pub async fn release(self) -> Result<()> {
        if self.held.end() {
            self.held.give_back().await
        } else {
            Ok(())
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let held = self.held.clone();
        if !held.end() {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Err(error) = held.give_back().await {
                    tracing::warn!(%error, "a lease was not given back; it runs out");
                }
            });
        }
    }
}
