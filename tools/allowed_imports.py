"""An import-linter contract: the named modules import the standard library and an allow-list, nothing else.

import-linter's own `forbidden` contract needs every unwanted package by name; a pure domain is stated the
other way round.
"""

import sys

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output
from importlinter.domain import helpers


class AllowedImportsContract(Contract):
    """Checks direct imports. Each source is a third-level module or package, like services.order.domain."""

    type_name = "allowed_imports"

    source_modules = fields.ListField(subfield=fields.ModuleExpressionField())
    allowed_modules = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: ARG002, FBT001 (its interface)
        """Collect every direct import that is neither of the standard library, a sibling nor allowed."""
        sources = {
            expression: helpers.module_expression_to_modules(graph, expression, as_packages=True)
            for expression in self.source_modules  # type: ignore[attr-defined]
        }
        broken = [
            (module.name, imported)
            for modules in sources.values()
            for module in sorted(modules, key=lambda module: module.name)
            for imported in sorted(graph.find_modules_directly_imported_by(module.name))
            if not self._is_allowed(module.name, imported)
        ]
        return ContractCheck(kept=not broken, metadata={"broken": broken})

    def _is_allowed(self, importer: str, imported: str) -> bool:
        if imported.partition(".")[0] in sys.stdlib_module_names or imported in self.allowed_modules:  # type: ignore[operator]
            return True
        # A sibling: both below services/<name>/domain, be it a file or a folder.
        return imported.split(".")[:3] == importer.split(".")[:3]

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print one line for each import that is not allowed."""
        for importer, imported in check.metadata["broken"]:
            output.print_error(f"{importer} may not import {imported}", bold=False)
