"""What a process's settings say of every program: whether it gives at all, or only in dry runs."""

import msgspec

from bursar.programs.model import InForce


class Switches(msgspec.Struct, frozen=True, kw_only=True):
    """One setting that stops all programs, and one that lets them only count (P10, O5)."""

    enabled: bool = True
    dry_run: bool = False

    def applied(self, in_force: InForce) -> InForce:
        """Let a program be off, or dry, where this process's settings say so."""
        program = in_force.program
        enabled = program.enabled and self.enabled
        dry_run = program.dry_run or self.dry_run
        if (enabled, dry_run) == (program.enabled, program.dry_run):
            return in_force
        other = msgspec.structs.replace(program, enabled=enabled, dry_run=dry_run)
        return msgspec.structs.replace(in_force, program=other)
