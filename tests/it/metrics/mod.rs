//! What is counted, and what a scrape shows.
mod counted;
mod labels;
mod reference;
mod scrape;
mod spent;
