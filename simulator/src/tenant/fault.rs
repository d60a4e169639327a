//! Faults that a script asks for, each for a number of times.

use serde::{Deserialize, Serialize};

/// Most faults that wait at once.
pub(crate) const FAULTS_MAX: usize = 1_000;

/// A fault as it is posted to `/simulator/faults`; exactly one effect is named.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FaultScript {
    /// Part of the path and query of the requests that it strikes; every request without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    path_contains: Option<String>,
    /// Method of the requests that it strikes; every method without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    /// How often it strikes; once without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    times: Option<u32>,
    /// Effect: this status instead of an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    /// With `status`: the header Retry-After, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_s: Option<u64>,
    /// With `status`: the request takes effect, and only its answer is lost.
    after_effect: bool,
    /// Effect: a page of HTML with status 200.
    html: bool,
    /// Effect: a listing's next page, or a delta query's next link, is at this scheme and host.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_host: Option<String>,
    /// Effect: a change is answered with success and does not happen.
    ineffective: bool,
    /// Effect: receivers of this partition are detached, now and once.
    #[serde(skip_serializing_if = "Option::is_none")]
    amqp_detach: Option<usize>,
    /// Effect: the hub has so many partitions from now on; it can grow, never shrink.
    #[serde(skip_serializing_if = "Option::is_none")]
    amqp_partitions: Option<usize>,
}

/// What a fault does to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FaultEffect {
    Refuse {
        status: u16,
        retry_after_s: Option<u64>,
    },
    LoseAnswer {
        status: u16,
    },
    Html,
    ForeignNextPage(String),
    Ineffective,
}

/// What a script asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    Request {
        path_contains: String,
        method: Option<String>,
        times: u32,
        effect: FaultEffect,
    },
    Detach {
        partition: usize,
    },
    Grow {
        partitions: usize,
    },
}

impl FaultScript {
    /// The fault, or none if not exactly one effect is named.
    pub(crate) fn fault(self) -> Option<Fault> {
        let effects = [
            self.status.is_some(),
            self.html,
            self.next_page_host.is_some(),
            self.ineffective,
            self.amqp_detach.is_some(),
            self.amqp_partitions.is_some(),
        ];
        if effects.into_iter().filter(|named| *named).count() != 1 {
            return None;
        }
        if let Some(partition) = self.amqp_detach {
            return Some(Fault::Detach { partition });
        }
        if let Some(partitions) = self.amqp_partitions {
            return Some(Fault::Grow { partitions });
        }
        let effect = match (self.status, self.next_page_host) {
            (Some(status), _) if !(200..600).contains(&status) => return None,
            (Some(status), _) if self.after_effect => FaultEffect::LoseAnswer { status },
            (Some(status), _) => FaultEffect::Refuse {
                status,
                retry_after_s: self.retry_after_s,
            },
            (None, Some(host)) => FaultEffect::ForeignNextPage(host),
            (None, None) if self.html => FaultEffect::Html,
            (None, None) => FaultEffect::Ineffective,
        };
        Some(Fault::Request {
            path_contains: self.path_contains.unwrap_or_default(),
            method: self.method,
            times: self.times.unwrap_or(1),
            effect,
        })
    }
}

/// The faults that wait for their requests.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    waiting: Vec<(String, Option<String>, u32, FaultEffect)>,
}

impl Faults {
    /// Adds a fault; false if too many wait.
    pub(crate) fn add(
        &mut self,
        path_contains: String,
        method: Option<String>,
        times: u32,
        effect: FaultEffect,
    ) -> bool {
        if self.waiting.len() >= FAULTS_MAX {
            return false;
        }
        if times > 0 {
            self.waiting.push((path_contains, method, times, effect));
        }
        true
    }

    /// Forgets all faults.
    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// The effect on a request, which uses the first fault that fits up by one.
    pub(crate) fn strike(&mut self, method: &str, path_and_query: &str) -> Option<FaultEffect> {
        let position = self.waiting.iter().position(|(part, only, _, _)| {
            path_and_query.contains(part.as_str())
                && only
                    .as_ref()
                    .is_none_or(|only| only.eq_ignore_ascii_case(method))
        })?;
        let (_, _, times, effect) = &mut self.waiting[position];
        *times -= 1;
        let effect = effect.clone();
        if *times == 0 {
            self.waiting.remove(position);
        }
        Some(effect)
    }
}

#[cfg(test)]
mod tests {
    use super::{Fault, FaultEffect, FaultScript, Faults};

    fn read(text: &str) -> Option<Fault> {
        serde_json::from_str::<FaultScript>(text)
            .ok()
            .and_then(FaultScript::fault)
    }

    #[test]
    fn exactly_one_effect_is_named() {
        assert!(
            read(r#"{"path_contains":"users","status":429,"retry_after_s":2,"times":3}"#).is_some()
        );
        assert_eq!(
            read(r#"{"amqp_detach":1}"#),
            Some(Fault::Detach { partition: 1 })
        );
        assert_eq!(
            read(r#"{"amqp_partitions":6}"#),
            Some(Fault::Grow { partitions: 6 })
        );
        assert_eq!(read(r#"{"path_contains":"users"}"#), None);
        assert_eq!(read(r#"{"html":true,"ineffective":true}"#), None);
        assert_eq!(read(r#"{"unknown":1}"#), None);
    }

    #[test]
    fn a_fault_strikes_as_often_as_asked() {
        let mut faults = Faults::default();
        faults.add(
            "blob".to_owned(),
            Some("get".to_owned()),
            2,
            FaultEffect::Html,
        );
        assert_eq!(faults.strike("POST", "/blob/1"), None);
        assert_eq!(faults.strike("GET", "/blob/1"), Some(FaultEffect::Html));
        assert_eq!(faults.strike("GET", "/blob/1"), Some(FaultEffect::Html));
        assert_eq!(faults.strike("GET", "/blob/1"), None);
    }
}
