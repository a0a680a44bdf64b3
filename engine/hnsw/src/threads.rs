//! Work that several threads share.

/// Threads to run where `asked` were asked for; 0: as many as there are cores.
#[must_use]
pub fn threads(asked: usize) -> usize {
    match asked {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        some => some,
    }
}

/// Runs `work` on so many threads, the calling one among them, until each is done. What is to be
/// done next they agree on among themselves.
///
/// # Errors
/// That of the calling thread, or else of the first of the others that has one.
///
/// # Panics
/// Where a thread panicked, as it did.
pub fn share<E: Send>(
    threads: usize,
    work: impl Fn() -> std::result::Result<(), E> + Sync,
) -> std::result::Result<(), E> {
    let outcomes = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(&work)).collect();
        let mut outcomes = vec![work()];
        // A panic of a thread goes on in this one.
        outcomes.extend(others.into_iter().map(|other| {
            other
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        }));
        outcomes
    });
    outcomes.into_iter().collect()
}
