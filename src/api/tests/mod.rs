//! What needs no service: parsing, cursors, problems, the document.

mod document;
mod pure;
