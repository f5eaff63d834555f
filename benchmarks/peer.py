"""A ledger as others build it on PostgreSQL: a function call for each transfer.

This is our own rendering of a design that several ledgers share: both accounts are locked in the
order of their ids, checked, updated, and two entries are written, in one transaction for each call.
It is asked by pgbench with 64 clients, without any HTTP, in two ways: between random accounts, and
as a currency is given, from one account to random others. It checks less than Bursar's ledger does:
no references, no holds, no lots, no checksums.
"""

from benchmarks.group_commit import pgbench
from benchmarks.place import owner
from bursar.platform.postgres import Server

_SCHEMA = """
drop schema if exists peer cascade;
create schema peer;
create table peer.accounts (
    account_id bigint primary key,
    balance    numeric not null default 0,
    version    bigint  not null default 0,
    updated_at timestamptz not null default now());
create table peer.transfers (
    transfer_id uuid primary key default gen_random_uuid(),
    debtor bigint not null references peer.accounts,
    creditor bigint not null references peer.accounts,
    amount numeric not null check (amount > 0),
    created_at timestamptz not null default now());
create table peer.entries (
    entry_id    uuid primary key default gen_random_uuid(),
    account_id  bigint not null references peer.accounts,
    transfer_id uuid   not null references peer.transfers,
    amount      numeric not null,
    balance     numeric not null,
    version     bigint  not null,
    created_at  timestamptz not null default now());
create index on peer.entries (account_id, version);
create index on peer.entries (transfer_id);
insert into peer.accounts (account_id, balance) select i, 1000000000 from generate_series(1, {n}) i;
create function peer.transfer(debtor_id bigint, creditor_id bigint, moved numeric) returns uuid
language plpgsql as $$
declare
    made uuid;
    debtor peer.accounts;
    creditor peer.accounts;
begin
    perform 1 from peer.accounts
      where account_id in (debtor_id, creditor_id) order by account_id for update;
    update peer.accounts set balance = balance - moved, version = version + 1, updated_at = now()
     where account_id = debtor_id returning * into debtor;
    if debtor.balance < 0 then
        raise exception 'insufficient funds';
    end if;
    update peer.accounts set balance = balance + moved, version = version + 1, updated_at = now()
     where account_id = creditor_id returning * into creditor;
    insert into peer.transfers (debtor, creditor, amount)
    values (debtor_id, creditor_id, moved) returning transfer_id into made;
    insert into peer.entries (account_id, transfer_id, amount, balance, version)
    values (debtor_id, made, -moved, debtor.balance, debtor.version),
           (creditor_id, made, moved, creditor.balance, creditor.version);
    return made;
end $$;
"""

_BETWEEN = r"""
\set debtor random(1, {holders})
\set other random(1, {holders} - 1)
\set creditor (:debtor + :other - 1) % {holders} + 1
select peer.transfer(:debtor, :creditor, 1);
"""

_GIVING = r"""
\set creditor random(2, {holders})
select peer.transfer(1, :creditor, 1);
"""


def make_peer(started: Server, accounts: int) -> None:
    """Make the peer's tables and accounts."""
    with owner(started) as connection:
        connection.execute(_SCHEMA.replace("{n}", str(accounts)))
        connection.execute("vacuum analyze peer.accounts")


def peer_between(started: Server, accounts: int) -> float:
    """Let 64 clients transfer between random accounts; how many a second."""
    return pgbench(started, accounts, _BETWEEN)


def peer_giving(started: Server, accounts: int) -> float:
    """Let 64 clients give from one account to random others; how many a second."""
    return pgbench(started, accounts, _GIVING)
