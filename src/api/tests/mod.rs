//! Without a service: parsing, cursors, problems, the document. With one, on a real PostgreSQL: every route.

mod approval;
mod audit;
mod change_sets;
mod configured;
mod document;
mod elements;
mod entries;
mod guarded;
mod harness;
mod history;
mod matrix;
mod mode_override;
mod people;
mod people_attacks;
mod people_lab;
mod pure;
mod refused;
mod sso;
mod sso_attacks;
mod sso_lab;
mod sso_provider;
mod traffic;
mod upstream;
