//! Who takes what is cut out of a file.

use std::io;

use crate::normalise::split::Piece;

/// Takes the pieces of a file, one after another.
pub(super) type Sink<'a> = dyn FnMut(Piece) -> io::Result<()> + 'a;
