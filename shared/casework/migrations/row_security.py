"""Row-level security on PostgreSQL: what `shared.casework.scope` says in queries, said once more by the database itself.

Each policy is of the table's own and binds its owner too (FORCE). Who asks is told by each transaction (`shared.kit.db.asking`);
where nothing is told, nothing is shown. A superuser is bound by none of it: no process of an agency connects as one.
"""

from alembic import op

# As `shared.casework.scope` has it: the agency's machinery sees everything, an account what lies at its desks.
IS_MACHINE_FN = """
CREATE FUNCTION refnet_is_machine() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT coalesce(current_setting('refnet.asks', true), '') = 'machine' $$
"""
LIST = """
CREATE FUNCTION refnet_list(name text) RETURNS text[] LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT coalesce(nullif(current_setting('refnet.' || name, true), ''), '{}')::text[] $$
"""
# It looks as the machinery does, because the policies of the two tables would ask for one another for ever.
SEES_CASE = """
CREATE FUNCTION refnet_sees_case(wanted uuid) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
DECLARE
    asks text := coalesce(current_setting('refnet.asks', true), '');
    desks text[] := refnet_list('desks');
    account uuid := nullif(current_setting('refnet.account', true), '')::uuid;
    seen boolean;
BEGIN
    IF asks = '' THEN
        RETURN false;
    END IF;
    PERFORM set_config('refnet.asks', 'machine', true);
    seen := wanted::text = ANY (refnet_list('opened'))
        OR EXISTS (SELECT FROM casework_cases WHERE id = wanted AND (facility = ANY (desks) OR assigned_to = account))
        OR EXISTS (SELECT FROM casework_referrals WHERE case_id = wanted AND desk = ANY (desks));
    PERFORM set_config('refnet.asks', asks, true);
    RETURN seen;
END $$
"""
FUNCTIONS = (IS_MACHINE_FN, LIST, SEES_CASE)
IS_MACHINE = "(SELECT refnet_is_machine())"
EVERYWHERE = "(SELECT '*' = ANY (refnet_list('desks')))"
AT_DESK = "{desk} = ANY ((SELECT refnet_list('desks'))::text[])"
ANYBODY = "coalesce(current_setting('refnet.asks', true), '') <> ''"  # of what is public: whoever says who asks
NOT_BARRED = "({case} IS NULL OR {case} <> ALL ((SELECT refnet_list('never')::uuid[])::uuid[]))"


def of_case(case: str, desk: str | None = None) -> str:
    """Rows of a case, by the columns that name it and, where there is one, the facility at which the row lies."""
    at_desk = f"{AT_DESK.format(desk=desk)} OR " if desk else ""
    return f"({EVERYWHERE} OR {at_desk}refnet_sees_case({case})) AND {NOT_BARRED.format(case=case)}"


def of_row(table: str, key: str, named: str = "id") -> str:
    """Rows that belong to one of another table, by its column `named`: they are seen where that one is."""
    return f"EXISTS (SELECT FROM {table} AS whose WHERE whose.{named} = {key})"


def protect(table: str, seen: str) -> None:
    """Rows of a table are read, changed and deleted by whoever sees them; one is added by anybody who says who asks."""
    for statement in (
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
        *(
            f"CREATE POLICY {table}_{verb} ON {table} FOR {verb.upper()} USING ({IS_MACHINE} OR ({seen}))"
            for verb in ("select", "update", "delete")
        ),
        # The columns that would decide may point at what the same statement adds, which no policy sees yet.
        f"CREATE POLICY {table}_insert ON {table} FOR INSERT WITH CHECK ({ANYBODY})",
    ):
        op.execute(statement)
