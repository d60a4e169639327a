//! Cases of the splitter: what goes in, what comes out, in whole and byte by byte.

use super::{PIECE_BYTES_MAX, Piece, Splitter};
use crate::normalise::layout::{Layout, layout_of};
use schemas::dead_letter::Reason;

fn split(bytes: &[u8], chunk: usize) -> Vec<Piece> {
    let mut splitter = Splitter::new(layout_of(bytes));
    let mut pieces = Vec::new();
    for part in bytes.chunks(chunk.max(1)) {
        splitter.push(part, &mut pieces);
    }
    splitter.finish(&mut pieces);
    pieces
}

fn show(pieces: &[Piece]) -> String {
    let words: Vec<String> = pieces
        .iter()
        .map(|piece| match piece {
            Piece::Object(raw) => String::from_utf8_lossy(raw).into_owned(),
            Piece::Row { row, .. } => format!("row<{}>", String::from_utf8_lossy(row)),
            Piece::Bad(reason, raw) => {
                format!("{}<{}>", reason.as_str(), String::from_utf8_lossy(raw))
            }
        })
        .collect();
    words.join(" | ")
}

fn check(text: &str, expected: &str) {
    let bytes = text.as_bytes();
    assert_eq!(show(&split(bytes, bytes.len())), expected, "{text:?}");
    for chunk in [1, 3] {
        // A byte order mark comes whole in practice; chunks of three keep it whole.
        if chunk == 1 && text.starts_with('\u{feff}') {
            continue;
        }
        assert_eq!(
            show(&split(bytes, chunk)),
            expected,
            "{text:?} in chunks of {chunk}"
        );
    }
}

#[test]
fn reads_every_way_to_hold_records() {
    for (text, expected) in [
        (r#"{"a":1}"#, r#"{"a":1}"#),
        (r#"[{"a":1},{"b":2}]"#, r#"{"a":1} | {"b":2}"#),
        (r#"{"records":[{"a":1},{"b":2}]}"#, r#"{"a":1} | {"b":2}"#),
        (r#" { "Records" : [ {"a":1} ] } "#, r#"{"a":1}"#),
        (r#"{"records":[]}"#, ""),
        ("", ""),
        ("\u{feff}{\"records\":[{\"a\":1}]}", r#"{"a":1}"#),
        (
            r#"{"a":1}{"b":2} {"records":[{"c":3}]}"#,
            r#"{"a":1} | {"b":2} | {"c":3}"#,
        ),
        ("{\"a\":1}\n\n{\"b\":2}\r\n", r#"{"a":1} | {"b":2}"#),
        ("[{\"a\":1}]\n[{\"b\":2}]\n", r#"{"a":1} | {"b":2}"#),
        (
            "{\n  \"a\": [\n    {\"b\": 1},\n    {\"c\": 2}\n  ]\n}\n",
            "{\n  \"a\": [\n    {\"b\": 1},\n    {\"c\": 2}\n  ]\n}",
        ),
        (
            r#"{"@odata.context":"x","value":[{"a":1}],"@odata.nextLink":"y"}"#,
            r#"{"a":1}"#,
        ),
        (
            r#"{"a":"x","records":[{"b":1}]}"#,
            r#"{"a":"x","records":[{"b":1}]}"#,
        ),
        (r#"{"a":"}]\"{","b":"\\"}"#, r#"{"a":"}]\"{","b":"\\"}"#),
    ] {
        check(text, expected);
    }
}

#[test]
fn salvages_siblings() {
    for (text, expected) in [
        (
            r#"{"records":[{"a":1},{"b":2},{"c":"cu"#,
            r#"{"a":1} | {"b":2} | truncated<{"c":"cu>"#,
        ),
        (r#"{"records":[{"a":1},"#, r#"{"a":1} | truncated<>"#),
        (r#"{"records":[{"a":1}]"#, r#"{"a":1} | truncated<>"#),
        (
            r#"[{"a":1},7,"x,y",null,[1],{"b":2}]"#,
            r#"{"a":1} | not_a_record<7> | not_a_record<"x,y"> | not_a_record<null> | not_a_record<[1]> | {"b":2}"#,
        ),
        (
            "{\"a\":\"cut\n{\"b\":2}\n",
            r#"truncated<{"a":"cut> | {"b":2}"#,
        ),
        (
            "{\"a\":{\"b\":1}\n{\"c\":2}\n{\"d\":3}",
            r#"truncated<{"a":{"b":1}> | {"c":2} | {"d":3}"#,
        ),
        ("nonsense\n{\"c\":2}\n", r#"not_json<nonsense> | {"c":2}"#),
        (
            "[\n{\"a\":1},\n{\"b\":\"cut\n{\"c\":3}\n]",
            r#"{"a":1} | truncated<{"b":"cut> | {"c":3}"#,
        ),
        (
            "[\n{\"a\":1},\n{\"b\":{\"c\":2}\n{\"d\":3}\n]",
            "{\"a\":1} | truncated<{\"b\":{\"c\":2}\n> | {\"d\":3}",
        ),
        (
            r#"{"records":[{"a":1}],"more":[{"b":2}]}"#,
            r#"{"a":1} | not_a_record<,"more":[{"b":2}]}>"#,
        ),
        (
            "<html><body>503</body>\n</html>",
            "not_the_format<<html><body>503</body>\n</html>>",
        ),
        ("plain words", "not_json<plain words>"),
    ] {
        check(text, expected);
    }
}

#[test]
fn ten_thousand_levels_are_one_piece() {
    let text = format!(
        "{{\"a\":{}1{}}}\n{{\"b\":2}}\n",
        "[".repeat(10_000),
        "]".repeat(10_000)
    );
    let pieces = split(text.as_bytes(), text.len());
    assert_eq!(pieces.len(), 2);
    assert!(matches!(&pieces[0], Piece::Object(raw) if raw.len() > 20_000));
    let open = "{\"a\":".repeat(1_000_000);
    assert!(matches!(
        split(open.as_bytes(), 65_536)[..],
        [Piece::Bad(Reason::Truncated, _)]
    ));
}

#[test]
fn an_endless_text_is_handed_on_in_bounded_pieces_with_every_byte() {
    let mut splitter = Splitter::new(Layout::Document);
    let mut pieces = Vec::new();
    splitter.push(b"{\"a\":\"", &mut pieces);
    let chunk = vec![b'x'; 1024 * 1024];
    for _ in 0..(PIECE_BYTES_MAX / chunk.len() + 2) {
        splitter.push(&chunk, &mut pieces);
    }
    splitter.push(b"\"}{\"b\":2}", &mut pieces);
    splitter.finish(&mut pieces);
    let sizes: Vec<usize> = pieces
        .iter()
        .filter_map(|piece| match piece {
            Piece::Bad(Reason::TooLarge, raw) => Some(raw.len()),
            _ => None,
        })
        .collect();
    assert_eq!(
        sizes.iter().sum::<usize>(),
        PIECE_BYTES_MAX + 2 * chunk.len() + 8
    );
    assert!(
        sizes
            .iter()
            .all(|size| *size <= PIECE_BYTES_MAX + chunk.len())
    );
    assert_eq!(pieces.last(), Some(&Piece::Object(b"{\"b\":2}".to_vec())));
}

#[test]
fn the_end_of_an_envelope_that_is_cut_is_kept() {
    for (text, expected) in [
        (
            r#"{"records":[{"a":1}],"b":"c"#,
            r#"{"a":1} | truncated<,"b":"c>"#,
        ),
        (
            "{\"records\":[{\"a\":1}],\"b\":{\n{\"c\":2}\n",
            "{\"a\":1} | truncated<,\"b\":{> | {\"c\":2}",
        ),
        // Graph's notes are no records; what stands beside them may be one.
        (r#"{"value":[{"a":1}],"@odata.nextLink":"x"}"#, r#"{"a":1}"#),
        (
            r#"{"value":[{"a":1}],"@odata.nextLink":"x","b":"c"}"#,
            r#"{"a":1} | not_a_record<,"@odata.nextLink":"x","b":"c"}>"#,
        ),
    ] {
        assert_eq!(show(&split(text.as_bytes(), 7)), expected, "{text:?}");
    }
}
