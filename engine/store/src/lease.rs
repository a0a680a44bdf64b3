//! One maintenance job per table at a time.
//!
//! A lease is a file, `_penstock/leases/TABLE.json`, that exactly one job can create. It names its
//! owner and its end, so that a job that died does not block the table for ever: after the end,
//! another job may replace the file, which again exactly one can do. A lease keeps jobs from
//! wasting each other's work; the safety of the data does not hang on it, that is the commit's.

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

/// The right to maintain a table. While it is held, a background task renews it; dropping it
/// gives it back.
#[derive(Debug)]
pub struct Lease {
    objects: Objects,
    key: String,
    table: TableName,
    token: String,
    lost: Arc<AtomicBool>,
    renewal: Option<tokio::task::JoinHandle<()>>,
}

fn until(now: DateTime<Utc>) -> DateTime<Utc> {
    now + TERM
}

fn bytes_of(holder: &Holder) -> Result<Bytes> {
    serde_json::to_vec(holder)
        .map(Bytes::from)
        .map_err(|_| StoreError::Internal("a lease is no JSON"))
}

impl Store {
    /// Takes the table's maintenance lease.
    ///
    /// # Errors
    /// [`StoreError::Leased`], which says who holds it until when; or the store cannot be written.
    pub async fn lease(&self, name: &TableName, purpose: &str) -> Result<Lease> {
        let objects = self.objects().clone();
        let key = format!("leases/{name}.json");
        let token = uuid::Uuid::new_v4().simple().to_string();
        let mine = Holder {
            owner: self.0.options.owner(),
            purpose: purpose.to_owned(),
            until: until(Utc::now()),
            token: token.clone(),
        };
        let mine = bytes_of(&mine)?;
        if !objects.put_if_absent(&key, mine.clone()).await? {
            let held = objects.get_opt(&key).await?.unwrap_or_default();
            // A file that is no lease cannot be held by anyone.
            let holder: Option<Holder> = serde_json::from_slice(&held).ok();
            let free = holder
                .as_ref()
                .is_none_or(|holder| holder.until < Utc::now());
            if !free || !objects.swap(&key, &held, mine).await? {
                let (owner, purpose, until) = match holder {
                    Some(holder) => (holder.owner, holder.purpose, holder.until.to_rfc3339()),
                    None => ("another job".into(), "maintenance".into(), "soon".into()),
                };
                return Err(StoreError::Leased {
                    table: name.clone(),
                    owner,
                    purpose,
                    until,
                });
            }
        }
        let lost = Arc::new(AtomicBool::new(false));
        let mut lease = Lease {
            objects,
            key,
            table: name.clone(),
            token,
            lost,
            renewal: None,
        };
        lease.renewal = Some(lease.spawn_renewal());
        Ok(lease)
    }
}

impl Lease {
    /// Whether the lease is still ours, as far as the last renewal knows.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`].
    pub fn check(&self) -> Result<()> {
        if self.lost.load(Ordering::Relaxed) {
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
        if renew(&self.objects, &self.key, &self.token).await? {
            Ok(())
        } else {
            self.lost.store(true, Ordering::Relaxed);
            Err(StoreError::LeaseLost {
                table: self.table.clone(),
            })
        }
    }

    fn spawn_renewal(&self) -> tokio::task::JoinHandle<()> {
        let (objects, key, token) = (self.objects.clone(), self.key.clone(), self.token.clone());
        let lost = self.lost.clone();
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(TERM / 4);
            ticks.tick().await;
            loop {
                ticks.tick().await;
                match renew(&objects, &key, &token).await {
                    Ok(true) => {}
                    Ok(false) => {
                        lost.store(true, Ordering::Relaxed);
                        return;
                    }
                    Err(error) => tracing::warn!(%error, key, "renewing a lease failed"),
                }
            }
        })
    }

    /// Gives the lease back.
    ///
    /// # Errors
    /// The store cannot be written; the lease then runs out by itself.
    pub async fn release(mut self) -> Result<()> {
        if let Some(renewal) = self.renewal.take() {
            renewal.abort();
        }
        give_back(&self.objects, &self.key, &self.token).await
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(renewal) = self.renewal.take() else {
            return;
        };
        renewal.abort();
        let (objects, key, token) = (self.objects.clone(), self.key.clone(), self.token.clone());
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Err(error) = give_back(&objects, &key, &token).await {
                    tracing::warn!(%error, key, "a lease was not given back; it runs out");
                }
            });
        }
    }
}

async fn mine(objects: &Objects, key: &str, token: &str) -> Result<Option<(Bytes, Holder)>> {
    let Some(held) = objects.get_opt(key).await? else {
        return Ok(None);
    };
    let holder = serde_json::from_slice::<Holder>(&held).ok();
    Ok(holder
        .filter(|holder| holder.token == token)
        .map(|holder| (held, holder)))
}

async fn renew(objects: &Objects, key: &str, token: &str) -> Result<bool> {
    let Some((held, holder)) = mine(objects, key, token).await? else {
        return Ok(false);
    };
    let next = bytes_of(&Holder {
        until: until(Utc::now()),
        ..holder
    })?;
    objects.swap(key, &held, next).await
}

async fn give_back(objects: &Objects, key: &str, token: &str) -> Result<()> {
    if mine(objects, key, token).await?.is_some() {
        objects.delete(key).await?;
    }
    Ok(())
}
