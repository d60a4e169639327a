//! MaxMind DB files of a test's own, because none may be passed on.

use serde_json::{Value, json};

/// Writes a MaxMind DB of IPv4 networks, each an address and a length, with records of 24 bits.
///
/// Source: MaxMind DB File Format Specification 2.0.
pub(crate) fn database(networks: &[([u8; 4], u8, Value)]) -> Vec<u8> {
    // A node has two branches: none, another node, or a place in the data.
    #[derive(Clone, Copy)]
    enum Branch {
        Nothing,
        Node(usize),
        Data(usize),
    }
    let mut nodes = vec![[Branch::Nothing; 2]];
    let mut data = Vec::new();
    for (address, length, record) in networks {
        let bits = u32::from_be_bytes(*address);
        let mut at = 0;
        for depth in 0..*length {
            let side = usize::from((bits >> (31 - depth)) & 1 == 1);
            if depth + 1 == *length {
                nodes[at][side] = Branch::Data(data.len());
                write(&mut data, record);
            } else if let Branch::Node(next) = nodes[at][side] {
                at = next;
            } else {
                nodes.push([Branch::Nothing; 2]);
                nodes[at][side] = Branch::Node(nodes.len() - 1);
                at = nodes.len() - 1;
            }
        }
    }
    let count = nodes.len();
    let mut file = Vec::new();
    for branch in nodes.iter().flatten() {
        let number = match branch {
            Branch::Nothing => count,
            Branch::Node(node) => *node,
            Branch::Data(place) => count + 16 + place,
        };
        file.extend_from_slice(&u32::try_from(number).unwrap().to_be_bytes()[1..]);
    }
    file.extend_from_slice(&[0; 16]);
    file.extend_from_slice(&data);
    file.extend_from_slice(b"\xab\xcd\xefMaxMind.com");
    let metadata = json!({"node_count": count, "record_size": 24, "ip_version": 4, "database_type": "test",
        "binary_format_major_version": 2, "binary_format_minor_version": 0, "build_epoch": 1_789_372_800,
        "languages": [], "description": {}});
    write(&mut file, &metadata);
    file
}

/// A value: a control byte with type and length, then its bytes.
fn write(into: &mut Vec<u8>, value: &Value) {
    match value {
        Value::String(text) => {
            head(into, 2, text.len());
            into.extend_from_slice(text.as_bytes());
        }
        Value::Object(members) => {
            head(into, 7, members.len());
            for (name, value) in members {
                write(into, &Value::String(name.clone()));
                match (value.as_u64(), name.as_str()) {
                    (Some(number), "build_epoch") => unsigned(into, 9, number),
                    (Some(number), "node_count" | "asn" | "autonomous_system_number") => {
                        unsigned(
                            into,
                            if u32::try_from(number).is_ok() { 6 } else { 9 },
                            number,
                        );
                    }
                    (Some(number), _) => unsigned(into, 5, number),
                    _ => write(into, value),
                }
            }
        }
        Value::Array(items) => {
            head(into, 11, items.len());
            for item in items {
                write(into, item);
            }
        }
        Value::Number(number) => {
            head(into, 3, 8);
            into.extend_from_slice(&number.as_f64().unwrap().to_be_bytes());
        }
        other => panic!("no such value: {other}"),
    }
}

/// A whole number of a type, without zeros before it.
fn unsigned(into: &mut Vec<u8>, kind: u8, number: u64) {
    let bytes = number.to_be_bytes();
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    head(into, kind, 8 - zeros);
    into.extend_from_slice(&bytes[zeros..]);
}

/// The type of a value, and its length in bytes or members.
fn head(into: &mut Vec<u8>, kind: u8, length: usize) {
    let length = u8::try_from(length).unwrap();
    let (size, rest) = match length {
        0..29 => (length, None),
        _ => (29, Some(length - 29)),
    };
    if kind <= 7 {
        into.push(kind << 5 | size);
    } else {
        into.extend([size, kind - 7]);
    }
    into.extend(rest);
}
