//! Processes that are ended when they are no longer needed.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::Result;

/// Between two looks whether a server answers yet.
const PAUSE: Duration = Duration::from_millis(50);

/// A child, ended by its id when it is dropped.
pub(super) struct Process(Child);

impl Process {
    pub(super) fn start(command: &mut Command) -> Result<Self> {
        let named = format!("{command:?}");
        let child = command.spawn();
        Ok(Self(child.map_err(|error| {
            anyhow::anyhow!("{named} cannot be started: {error}")
        })?))
    }

    pub(super) fn child(&mut self) -> &mut Child {
        &mut self.0
    }

    /// Waits until something holds, as long as the process lives, and not for ever.
    pub(super) fn until<T>(
        &mut self,
        limit: Duration,
        mut look: impl FnMut() -> Result<T>,
    ) -> Result<T> {
        let began = Instant::now();
        loop {
            let error = match look() {
                Ok(found) => return Ok(found),
                Err(error) => error,
            };
            if let Some(status) = self.0.try_wait()? {
                return Err(error.context(format!("the server ended: {status}")));
            }
            if began.elapsed() > limit {
                return Err(error.context("the server is not ready in time"));
            }
            std::thread::sleep(PAUSE);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An address of this machine that nobody listens on.
pub(super) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
