//! The database: its connections, transactions, sizes and partitions.
use sqlx::PgTransaction;

use super::{Values, gather::float};
use crate::db;

pub async fn gather(tx: &mut PgTransaction<'_>, values: &mut Values) -> sqlx::Result<()> {
    let server = db::server_load(&mut **tx).await?;
    values.add("aftercall_db_server_connections", &[], float(server.connections));
    values.add("aftercall_db_server_connections_max", &[], float(server.max_connections));
    values.add("aftercall_db_oldest_transaction_seconds", &[], server.oldest_transaction_secs);
    values.add("aftercall_db_bytes", &[], float(server.bytes));
    for table in db::table_sizes(&mut **tx).await? {
        let labels = [("table", table.name.as_str())];
        values.add("aftercall_table_bytes", &labels, float(table.bytes));
        if let Some(days) = table.days_ahead {
            values.add("aftercall_partition_days_ahead", &labels, days);
        }
    }
    Ok(())
}
