//! Measurements against the rivals, on the events and rules of a performance kit.
//!
//! Times are processor time of one thread: the machine is shared.
//!
//! ```
//! use benches::cpu::thread_time;
//!
//! let before = thread_time()?;
//! assert_eq!((0..1_000_u64).sum::<u64>(), 499_500);
//! let spent = thread_time()? - before;
//! println!("{spent:?} of this thread");
//! # Ok::<(), std::io::Error>(())
//! ```

pub mod correlated;
pub mod cpu;
pub mod detection;
mod events;
mod flat;
pub mod ingestion;
pub mod kit;
pub mod store;
pub mod stored;
