//! What a query may be and may answer: deep expressions overflow the planner's stack, and answers are held in memory.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use arrow::array::Array as _;
use arrow::record_batch::RecordBatch;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::sql::sqlparser::dialect::Dialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};

use crate::error::LakeError;

/// Most operators of a query. The planner goes down a level for each; lists of `IN` are one, however long.
pub(crate) const OPERATORS_MAX: usize = 1_000;

/// Most bytes of an answer that is held in memory whole.
pub(crate) const ANSWER_BYTES_MAX: usize = 1024 * 1024 * 1024;

/// Words that make the plan deeper.
const WORDS: [&str; 12] = [
    "AND",
    "OR",
    "NOT",
    "UNION",
    "EXCEPT",
    "INTERSECT",
    "JOIN",
    "CASE",
    "WHEN",
    "LIKE",
    "ILIKE",
    "BETWEEN",
];

/// Refuses a query that the planner could not go down.
///
/// # Errors
/// [`LakeError::QueryTooDeep`]. A text that is no SQL is left to the parser to complain about.
pub(crate) fn check(sql: &str, dialect: &dyn Dialect) -> Result<(), LakeError> {
    let Ok(tokens) = Tokenizer::new(dialect, sql).tokenize() else {
        return Ok(());
    };
    let operators = tokens.iter().filter(|token| is_operator(token)).count();
    if operators > OPERATORS_MAX {
        return Err(LakeError::QueryTooDeep {
            operators,
            most: OPERATORS_MAX,
        });
    }
    Ok(())
}

fn is_operator(token: &Token) -> bool {
    match token {
        Token::Word(word) => {
            word.quote_style.is_none()
                && WORDS
                    .iter()
                    .any(|known| word.value.eq_ignore_ascii_case(known))
        }
        Token::Whitespace(_)
        | Token::Number(..)
        | Token::SingleQuotedString(_)
        | Token::DoubleQuotedString(_)
        | Token::Comma
        | Token::Period
        | Token::RParen
        | Token::SemiColon
        | Token::EOF => false,
        _ => true,
    }
}

/// Waits for a part of a query; a kernel that panics, as over a text of more than 2 GiB, fails the query alone.
///
/// # Errors
/// [`DataFusionError::Execution`] with what the panic said.
pub(crate) async fn without_panics<T>(work: impl Future<Output = T>) -> Result<T, DataFusionError> {
    AssertUnwindSafe(work)
        .catch_unwind()
        .await
        .map_err(|panic| told(panic.as_ref()))
}

/// The same for each batch of an answer.
pub(crate) fn stream_without_panics(
    stream: SendableRecordBatchStream,
) -> SendableRecordBatchStream {
    let schema = stream.schema();
    let batches = AssertUnwindSafe(stream)
        .catch_unwind()
        .map(|batch| batch.unwrap_or_else(|panic| Err(told(panic.as_ref()))));
    Box::pin(RecordBatchStreamAdapter::new(schema, batches))
}

fn told(panic: &(dyn Any + Send)) -> DataFusionError {
    let said = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic");
    DataFusionError::Execution(format!(
        "a function of the query went beyond what it can hold ({said}); ask for shorter texts or fewer rows"
    ))
}

/// All batches of an answer of at most so many bytes.
///
/// # Errors
/// [`LakeError::AnswerTooLarge`] beyond them; [`LakeError::Query`] for what fails while it runs.
pub(crate) async fn collect(
    mut stream: SendableRecordBatchStream,
    most: usize,
) -> Result<Vec<RecordBatch>, LakeError> {
    let (mut batches, mut bytes) = (Vec::new(), 0);
    while let Some(batch) = stream.try_next().await? {
        let columns = batch.columns().iter();
        bytes += columns
            .map(|column| column.to_data().get_slice_memory_size().unwrap_or(0))
            .sum::<usize>();
        if bytes > most {
            return Err(LakeError::AnswerTooLarge { most });
        }
        batches.push(batch);
    }
    Ok(batches)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array};
    use arrow::record_batch::RecordBatch;
    use datafusion::physical_plan::memory::MemoryStream;
    use futures::StreamExt as _;

    use datafusion::execution::SendableRecordBatchStream;
    use datafusion::physical_plan::stream::RecordBatchStreamAdapter;

    use super::{collect, stream_without_panics};
    use crate::error::LakeError;

    #[tokio::test]
    async fn a_panic_in_a_function_fails_the_query_alone() {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![7]));
        let batch = RecordBatch::try_from_iter([("n", column)]).unwrap();
        let schema = batch.schema();
        let batches = futures::stream::iter(0..2).map(move |number| {
            assert!(number == 0, "offset overflow");
            Ok(batch.clone())
        });
        let stream: SendableRecordBatchStream =
            Box::pin(RecordBatchStreamAdapter::new(schema, batches));
        let failed = collect(stream_without_panics(stream), 800).await;
        let Err(LakeError::Query(cause)) = failed else {
            panic!("{failed:?}")
        };
        assert!(cause.to_string().contains("offset overflow"), "{cause}");
    }

    #[tokio::test]
    async fn an_answer_that_is_too_large_is_refused() {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![7; 100]));
        let batch = RecordBatch::try_from_iter([("n", column)]).unwrap();
        let stream = || {
            // Slices of one array are not counted twice.
            let slices = (0..10).map(|at| batch.slice(at * 10, 10)).collect();
            Box::pin(MemoryStream::try_new(slices, batch.schema(), None).unwrap())
        };
        assert_eq!(collect(stream(), 800).await.unwrap().len(), 10);
        let refused = collect(stream(), 799).await;
        assert!(matches!(
            refused,
            Err(LakeError::AnswerTooLarge { most: 799 })
        ));
    }
}
