//! Strict readers of each format, written from its specification: what is not of the format is an error.

use std::collections::BTreeMap;

/// A CEF line: its seven header fields and its extension.
pub(crate) fn cef(line: &str) -> Result<(Vec<String>, BTreeMap<String, String>), String> {
    one_line(line)?;
    let rest = line.strip_prefix("CEF:").ok_or("no CEF")?;
    let (mut header, mut field, mut at) = (Vec::new(), String::new(), 0);
    let mut characters = rest.char_indices();
    while let Some((place, character)) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some((_, escaped @ ('\\' | '|'))) => field.push(escaped),
                other => return Err(format!("escape {other:?} in the header")),
            },
            '|' => {
                header.push(std::mem::take(&mut field));
                at = place + 1;
                if header.len() == 7 {
                    break;
                }
            }
            _ => field.push(character),
        }
    }
    if header.len() != 7 {
        return Err(format!("{} header fields", header.len()));
    }
    Ok((header, extension(&rest[at..])?))
}

/// Keys stand before an equals sign that is not escaped; a value ends at the blank before the next key.
fn extension(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut equals = Vec::new();
    let mut escaped = false;
    for (place, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '=' => equals.push(place),
            _ => {}
        }
    }
    if escaped {
        return Err("an escape of nothing".to_owned());
    }
    let key_start = |equal: usize| text[..equal].rfind(' ').map_or(0, |blank| blank + 1);
    let mut pairs = BTreeMap::new();
    for (number, equal) in equals.iter().enumerate() {
        let key = &text[key_start(*equal)..*equal];
        if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(format!("key {key:?}"));
        }
        let end = equals
            .get(number + 1)
            .map_or(text.len(), |next| key_start(*next) - 1);
        let value = unescape(text.get(equal + 1..end).ok_or("keys without a blank")?)?;
        if pairs.insert(key.to_owned(), value).is_some() {
            return Err(format!("key {key:?} twice"));
        }
    }
    Ok(pairs)
}

fn unescape(text: &str) -> Result<String, String> {
    let mut value = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        value.push(match character {
            '\\' => match characters.next() {
                Some('n') => '\n',
                Some('r') => '\r',
                Some(escaped @ ('\\' | '=')) => escaped,
                other => return Err(format!("escape {other:?} in a value")),
            },
            plain => plain,
        });
    }
    Ok(value)
}

/// A LEEF 2.0 line: its five header fields and its attributes.
pub(crate) fn leef(line: &str) -> Result<(Vec<String>, BTreeMap<String, String>), String> {
    one_line(line)?;
    let rest = line.strip_prefix("LEEF:").ok_or("no LEEF")?;
    let fields: Vec<&str> = rest.splitn(7, '|').collect();
    let [header @ .., delimiter, attributes] = fields.as_slice() else {
        return Err("no header".to_owned());
    };
    if header.len() != 5 || header[0] != "2.0" || *delimiter != "x09" {
        return Err(format!("header {header:?}, delimiter {delimiter:?}"));
    }
    let mut pairs = BTreeMap::new();
    for attribute in attributes.split('\t') {
        let (key, value) = attribute
            .split_once('=')
            .ok_or(format!("attribute {attribute:?}"))?;
        if !key
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            || key.is_empty()
        {
            return Err(format!("key {key:?}"));
        }
        if pairs.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(format!("key {key:?} twice"));
        }
    }
    Ok((
        header.iter().map(|field| (*field).to_owned()).collect(),
        pairs,
    ))
}

/// Frames by octet counting: RFC 6587, section 3.4.1.
pub(crate) fn frames(mut stream: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let mut frames = Vec::new();
    while !stream.is_empty() {
        let blank = stream
            .iter()
            .position(|byte| *byte == b' ')
            .ok_or("no length")?;
        let digits = std::str::from_utf8(&stream[..blank]).map_err(|_| "no length")?;
        if digits.starts_with('0') || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(format!("length {digits:?}"));
        }
        let length: usize = digits.parse().map_err(|_| "no length")?;
        let end = blank + 1 + length;
        frames.push(
            stream
                .get(blank + 1..end)
                .ok_or("ends within a frame")?
                .to_vec(),
        );
        stream = &stream[end..];
    }
    Ok(frames)
}

/// Nothing in a line may end it, or steer whoever looks at it; LEEF's delimiter is the one control there is.
fn one_line(line: &str) -> Result<(), String> {
    let steers = |c: &char| forward::formats::inert::is_steering(*c) && *c != '\t';
    match line.chars().find(steers) {
        Some(found) => Err(format!("{found:?} in a line")),
        None => Ok(()),
    }
}
