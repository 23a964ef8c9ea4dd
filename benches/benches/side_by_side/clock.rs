//! The clocks: what is measured is the time on the processor, which a busy machine changes least.

use rustix::time::{ClockId, Timespec, clock_gettime};

/// Nanoseconds that this process has been on a processor.
pub(crate) fn cpu() -> u64 {
    nanoseconds(clock_gettime(ClockId::ProcessCPUTime))
}

/// Nanoseconds on the wall's clock.
pub(crate) fn wall() -> u64 {
    nanoseconds(clock_gettime(ClockId::Monotonic))
}

fn nanoseconds(time: Timespec) -> u64 {
    u64::try_from(time.tv_sec).unwrap_or_default() * 1_000_000_000
        + u64::try_from(time.tv_nsec).unwrap_or_default()
}
