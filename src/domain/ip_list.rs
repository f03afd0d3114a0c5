//! IP lists: named sets of networks.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::name::{Description, Name, Title};
use super::{Network, error};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum IpListSource {
    /// Its entries are written through the API.
    #[default]
    Manual,
}

/// A named set of networks; its entries are a collection of their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IpList {
    pub name: Name,
    #[serde(default)]
    pub title: Title,
    #[serde(default)]
    pub description: Description,
    #[serde(default)]
    pub source: IpListSource,
}

impl IpList {
    pub fn complete(self) -> error::Result<Self> {
        Ok(self)
    }
}

/// One network of a list. The network is its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub network: Network,
    #[serde(default)]
    pub comment: Title,
    /// From then on it is shown as expired and not compiled.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub expires_at: Option<OffsetDateTime>,
}

impl Entry {
    pub fn active(&self, now: OffsetDateTime) -> bool {
        self.expires_at.is_none_or(|at| at > now)
    }
}
