//! What one distinct value costs, by the kind of question and by how many rules ask.
//!
//! `cargo bench -p benches --bench matchers`. A value costs about the same whether ten words, prefixes, suffixes or parts
//! are asked for or a thousand; expressions run together and cost more by and by, networks and numbers are compared one
//! by one.

use std::collections::BTreeSet;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use sigma::expression::{Fold, Leaf, Network, Number, Order, Question};
use sigma::plan::matcher::Matcher;

/// Values of about the lengths that operations, agents, paths and addresses have; few of them answer a question.
fn values() -> Vec<String> {
    (0..1_000)
        .map(|number| match number % 5 {
            0 => format!("Add-MailboxPermission{}", number % 70),
            1 => format!("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/{number}.0.0.0"),
            2 => format!("https://contoso.sharepoint.example/sites/s{number}/Shared Documents/report {number}.docx"),
            3 => format!("203.0.{}.{}", number % 7, number % 251),
            _ => format!("{}", number * 37),
        })
        .collect()
}

fn word(number: usize) -> String {
    format!("word-{}-{number}", number * 7919 % 1_000)
}

/// One question of a kind, the `number`th.
type Ask = fn(usize) -> Question;

/// The kinds of question.
const KINDS: [(&str, Ask); 7] = [
    ("equal", |number| {
        Question::OneOf(Fold::Lower, BTreeSet::from([word(number)]))
    }),
    ("starts", |number| {
        Question::StartsWith(Fold::Lower, word(number))
    }),
    ("ends", |number| {
        Question::EndsWith(Fold::Lower, word(number))
    }),
    ("contains", |number| {
        Question::ContainsAny(Fold::Lower, BTreeSet::from([word(number)]))
    }),
    ("expression", |number| {
        Question::Matches(Fold::Exact, format!("(?i)^{}[0-9]+$", word(number)))
    }),
    ("network", |number| {
        let network = Network::parse(&format!("10.{}.{}.0/24", number / 256, number % 256));
        network.map_or(Question::Exists, Question::In)
    }),
    ("number", |number| {
        let right = u32::try_from(number)
            .ok()
            .and_then(|number| Number::new(f64::from(number) + 1e6));
        right.map_or(Question::Exists, |right| {
            Question::Compares(Order::Greater, right)
        })
    }),
];

fn matchers(criterion: &mut Criterion) {
    let values = values();
    for (kind, ask) in KINDS {
        let mut group = criterion.benchmark_group(kind);
        group.throughput(Throughput::Elements(values.len() as u64));
        for count in [10, 100, 1_000] {
            let questions: Vec<Question> = (0..count).map(ask).collect();
            let Ok(matcher) = Matcher::new(questions.iter().enumerate()) else {
                continue;
            };
            group.bench_with_input(
                BenchmarkId::from_parameter(count),
                &values,
                |bencher, values| {
                    bencher.iter(|| {
                        let mut found = 0_usize;
                        for value in values {
                            matcher.ask(&Leaf::Text(black_box(value)), &mut |_| found += 1);
                        }
                        found
                    });
                },
            );
        }
        group.finish();
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    matchers(&mut criterion);
    criterion.final_summary();
}
