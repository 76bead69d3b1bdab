//! An account at the provider.
use super::Client;
use crate::config::{AccountGate, GateSettings};

/// Credentials at the provider, and how often they may be used.
#[derive(Debug, Clone)]
pub struct Account {
    pub name: String,
    pub client: Client,
    pub gate: GateSettings,
}

impl Account {
    pub fn new(gate: AccountGate, client: Client) -> Self {
        Self { name: gate.account, client, gate: gate.settings }
    }

    /// What the gate needs to know about these accounts.
    pub fn gates(accounts: &[Self]) -> Vec<AccountGate> {
        let gate = |it: &Self| AccountGate { account: it.name.clone(), settings: it.gate.clone() };
        accounts.iter().map(gate).collect()
    }
}
