//! Each destination against real receivers: those that take what they should, and those that do everything wrong.

mod authority;
mod kit;
mod receiver;
mod webhook;
