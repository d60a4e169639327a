//! Where a receiver begins: the selector filters of Event Hubs.

use fe2o3_amqp_types::primitives::{OrderedMap, Symbol, Value};

/// Key of the filter.
const SELECTOR: &str = "apache.org:selector-filter:string";
/// Distance of the offsets of two neighbours: offsets are not sequence numbers, as in Event Hubs.
pub(super) const OFFSET_STEP: i64 = 4_096;

/// The text of the selector among a link's filters.
pub(super) fn of_filter(filters: &OrderedMap<Symbol, Value>) -> Option<String> {
    match filters.get(&Symbol::from(SELECTOR))? {
        Value::Described(described) => match &described.value {
            Value::String(text) => Some(text.clone()),
            _ => None,
        },
        Value::String(text) => Some(text.clone()),
        _ => None,
    }
}

/// The sequence number that comes first, of a partition whose messages were enqueued at these milliseconds.
///
/// None if the text is no selector of Event Hubs.
pub(super) fn first(text: &str, enqueued_ms: &[i64]) -> Option<usize> {
    let (annotation, rest) = text.split_once('>')?;
    let (inclusive, rest) = rest
        .trim_start()
        .strip_prefix('=')
        .map_or((false, rest), |rest| (true, rest));
    let bound = rest.trim().trim_matches('\'');
    let after = |number: i64| {
        usize::try_from(
            if inclusive {
                number
            } else {
                number.saturating_add(1)
            }
            .max(0),
        )
        .ok()
    };
    match annotation.trim().strip_prefix("amqp.annotation.")? {
        "x-opt-sequence-number" => after(bound.parse().ok()?),
        "x-opt-offset" if bound == "@latest" => Some(enqueued_ms.len()),
        "x-opt-offset" => {
            let offset: i64 = bound.parse().ok()?;
            if offset < 0 {
                return Some(0);
            }
            if inclusive && offset % OFFSET_STEP != 0 {
                return usize::try_from(offset / OFFSET_STEP + 1).ok();
            }
            after(offset / OFFSET_STEP)
        }
        "x-opt-enqueued-time" => {
            let bound_ms: i64 = bound.parse().ok()?;
            Some(enqueued_ms.partition_point(|ms| {
                if inclusive {
                    *ms < bound_ms
                } else {
                    *ms <= bound_ms
                }
            }))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{OFFSET_STEP, first};

    #[test]
    fn selectors_say_where_to_begin() {
        let enqueued = [10, 20, 20, 30];
        let check = |text: &str| first(&format!("amqp.annotation.{text}"), &enqueued);
        assert_eq!(check("x-opt-offset > '-1'"), Some(0));
        assert_eq!(check("x-opt-offset > '@latest'"), Some(4));
        assert_eq!(
            check(&format!("x-opt-offset >'{}'", 2 * OFFSET_STEP)),
            Some(3)
        );
        assert_eq!(
            check(&format!("x-opt-offset >='{}'", 2 * OFFSET_STEP)),
            Some(2)
        );
        assert_eq!(check("x-opt-sequence-number >'1'"), Some(2));
        assert_eq!(check("x-opt-sequence-number >='1'"), Some(1));
        assert_eq!(check("x-opt-sequence-number >'-1'"), Some(0));
        assert_eq!(check("x-opt-enqueued-time >'20'"), Some(3));
        assert_eq!(check("x-opt-enqueued-time >='20'"), Some(1));
        assert_eq!(check("x-opt-colour >'1'"), None);
        assert_eq!(first("nonsense", &enqueued), None);
    }
}
