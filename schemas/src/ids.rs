//! Identities that are hashes of their causes: a replay makes nothing new, a retry sends nothing twice.

use serde_json::Value;

use crate::wire::Alert;

/// 128 bits of BLAKE3 over length-prefixed parts, so that ("ab","c") and ("a","bc") differ.
pub fn hash(parts: &[&[u8]]) -> u128 {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let mut first = [0_u8; 16];
    first.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    u128::from_be_bytes(first)
}

/// The same hash as 32 hexadecimal digits.
pub fn hex(parts: &[&[u8]]) -> String {
    format!("{:032x}", hash(parts))
}

/// Identity of an alert: its tenant, rule, group key and window.
pub fn alert(tenant_id: &str, rule_id: &str, group_key: &str, window_start_us: i64) -> String {
    hex(&[
        b"alert",
        tenant_id.as_bytes(),
        rule_id.as_bytes(),
        group_key.as_bytes(),
        &window_start_us.to_le_bytes(),
    ])
}

/// Identity of a version of an alert: what is told again under the same id, with another state or other events.
///
/// An alert of one event has one version. One that is raised, withdrawn and raised again has three.
pub fn alert_version(alert: &Alert) -> String {
    if alert.counted == 0 {
        return alert.alert_id.clone();
    }
    hex(&[
        b"version",
        alert.alert_id.as_bytes(),
        alert.state.as_bytes(),
        &alert.counted.to_le_bytes(),
        &alert.event_count.to_le_bytes(),
    ])
}

/// Identity of a record that has none: "sha:" and the hash of its canonical JSON.
///
/// Canonical: keys sorted, no white space, so that the order in which Microsoft writes fields does not count.
pub fn of_content(record: &Value) -> String {
    let mut canonical = Vec::new();
    write_canonical(record, &mut canonical);
    format!("sha:{}", hex(&[&canonical]))
}

fn write_canonical(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Object(members) => {
            let mut names: Vec<&String> = members.keys().collect();
            names.sort_unstable();
            out.push(b'{');
            for name in names {
                write_scalar(&Value::String(name.clone()), out);
                out.push(b':');
                write_canonical(&members[name], out);
                out.push(b',');
            }
            out.push(b'}');
        }
        Value::Array(items) => {
            out.push(b'[');
            for item in items {
                write_canonical(item, out);
                out.push(b',');
            }
            out.push(b']');
        }
        scalar => write_scalar(scalar, out),
    }
}

fn write_scalar(value: &Value, out: &mut Vec<u8>) {
    out.extend_from_slice(value.to_string().as_bytes());
}

#[cfg(test)]
mod tests {
    use super::{alert, hash, of_content};
    use serde_json::json;

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(hash(&[b"ab", b"c"]), hash(&[b"a", b"bc"]));
    }

    #[test]
    fn the_order_of_fields_does_not_count() {
        assert_eq!(
            of_content(&json!({"a": 1, "b": [{"c": 2, "d": 3}]})),
            of_content(&json!({"b": [{"d": 3, "c": 2}], "a": 1}))
        );
        assert_ne!(of_content(&json!([1, 2])), of_content(&json!([2, 1])));
    }

    #[test]
    fn an_alert_is_named_by_its_causes() {
        assert_eq!(alert("t", "r", "g", 0), alert("t", "r", "g", 0));
        assert_ne!(alert("t", "r", "g", 0), alert("t", "r", "g", 1));
    }
}
