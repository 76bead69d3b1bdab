//! Aftercall takes recordings from internal apps, has them analysed by RingCentral's Interaction
//! Analytics API, and serves the insights.
//!
//! ```text
//!  caller ──POST /v1/jobs──▶ intake ─┐                              ┌─▶ query ──GET /v1/…──▶ caller
//!                                    ▼                              │
//!                            ┌──────────────── Postgres ────────────┴──────┐
//!                            │ jobs · attempts · deliveries · insights · … │
//!                            └──▲──────────▲────────────▲──────────────▲───┘
//!                               │          │            │              │
//!                           dispatch    webhook     reconcile      retention
//!                               │          ▲            │
//!                               ▼          │            ▼
//!                 POST analyze-interaction │   GET status
//!                               └──── provider ─────────┘
//! ```
//!
//! Stages never import one another; they meet only in Postgres rows. A state change and the row that
//! starts the next stage commit together. The modules, in reading order:
//!
//! - process: [`cli`], [`app`], [`supervise`], [`config`], [`telemetry`], [`db`], [`embedded`]
//! - plumbing: [`http`], [`json`]
//! - tables: [`callers`], [`jobs`], [`deliveries`], [`stats`], [`conversations`],
//!   [`insights`], [`drift`]
//! - [`events`]: what becomes of jobs, told at once to those who wait
//! - [`outcome`]: how a job ends, whoever brought the news
//! - [`api`]: what the handlers of the REST API share
//! - [`provider`]: the only module that knows RingCentral's JSON
//! - stages: [`intake`] → [`dispatch`] → [`webhook`] → [`reconcile`] → [`query`], [`admin`], and
//!   [`rollup`], [`retention`]
//! - [`sandbox`]: an emulator of the provider
pub mod admin;
pub mod api;
pub mod app;
pub mod callers;
pub mod cli;
pub mod config;
pub mod conversations;
pub mod db;
pub mod deliveries;
pub mod dispatch;
pub mod drift;
pub mod embedded;
pub mod events;
pub mod http;
pub mod insights;
pub mod intake;
pub mod jobs;
pub mod json;
pub mod outcome;
pub mod provider;
pub mod query;
pub mod reconcile;
pub mod retention;
pub mod rollup;
pub mod sandbox;
pub mod stats;
pub mod supervise;
pub mod telemetry;
pub mod webhook;
