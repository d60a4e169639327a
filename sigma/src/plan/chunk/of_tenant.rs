//! Rows of one tenant: files do not hold whose rows they are, because the lake keeps each tenant's in a folder of its own.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use arrow::buffer::BooleanBuffer;

use super::{Chunk, Distinct, Take};
use crate::mapping::TENANT_ID;

/// A chunk whose rows are all of one tenant.
#[derive(Debug)]
pub struct OfTenant<'a, C> {
    chunk: &'a mut C,
    tenant_id: &'a str,
}

impl<'a, C: Chunk> OfTenant<'a, C> {
    /// The rows of `chunk`, which are of this tenant.
    pub fn new(chunk: &'a mut C, tenant_id: &'a str) -> Self {
        Self { chunk, tenant_id }
    }

    fn repeated(&self, rows: usize) -> ArrayRef {
        Arc::new(StringArray::from_iter_values(std::iter::repeat_n(
            self.tenant_id,
            rows,
        )))
    }
}

impl<C: Chunk> Chunk for OfTenant<'_, C> {
    type Error = C::Error;

    fn rows(&self) -> usize {
        self.chunk.rows()
    }

    fn distinct(&mut self, column: &str) -> Result<Option<Distinct>, C::Error> {
        if column != TENANT_ID {
            return self.chunk.distinct(column);
        }
        Ok(Some(Distinct {
            values: StringArray::from_iter_values([self.tenant_id]),
            has_nulls: false,
        }))
    }

    fn column(&mut self, column: &str) -> Result<ArrayRef, C::Error> {
        if column == TENANT_ID {
            return Ok(self.repeated(self.chunk.rows()));
        }
        self.chunk.column(column)
    }

    fn visit(
        &mut self,
        columns: &[&str],
        rows: Option<&BooleanBuffer>,
        take: &mut Take<'_, C::Error>,
    ) -> Result<(), C::Error> {
        let Some(at) = columns.iter().position(|column| *column == TENANT_ID) else {
            return self.chunk.visit(columns, rows, take);
        };
        let tenant_id = self.tenant_id;
        // The others give their rows as nulls where they are not columns of the chunk, so its number of rows is known.
        self.chunk.visit(columns, rows, &mut |arrays| {
            let mut arrays = arrays.to_vec();
            let texts = std::iter::repeat_n(tenant_id, arrays[at].len());
            arrays[at] = Arc::new(StringArray::from_iter_values(texts));
            take(&arrays)
        })
    }
}
