//! The one lock around the tenant, and the bell that rings when something is published.

use std::sync::{Arc, Mutex, PoisonError};

use schemas::environment::Clock;
use tokio::sync::watch;

use crate::tenant::Tenant;

/// The tenant, shared by all servers.
pub(crate) struct SharedTenant {
    tenant: Mutex<Tenant>,
    clock: Arc<dyn Clock>,
    published: watch::Sender<u64>,
    /// Where HTTP is served, `http://host:port`.
    pub(crate) http_url: String,
}

impl SharedTenant {
    pub(crate) fn new(tenant: Tenant, clock: Arc<dyn Clock>, http_url: String) -> Self {
        Self {
            tenant: Mutex::new(tenant),
            clock,
            published: watch::Sender::new(0),
            http_url,
        }
    }

    /// Runs something on the tenant as it is now; never across a wait.
    pub(crate) fn with<T>(&self, run: impl FnOnce(&mut Tenant) -> T) -> T {
        let now_us = self.clock.now_us();
        // A panic of another task left a state that is still a state.
        let mut tenant = self.tenant.lock().unwrap_or_else(PoisonError::into_inner);
        let published = tenant.advance(now_us);
        let out = run(&mut tenant);
        drop(tenant);
        if published {
            self.ring();
        }
        out
    }

    /// Wakes everybody who waits for something new.
    pub(crate) fn ring(&self) {
        self.published
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Changes when something was published.
    pub(crate) fn bell(&self) -> watch::Receiver<u64> {
        self.published.subscribe()
    }
}
