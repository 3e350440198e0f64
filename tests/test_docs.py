"""Whatever documents and messages name exists: files, links, commands, options, modules, classes."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import shlex
from functools import cache
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import typer

from stgmamba.cli import app

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "stgmamba"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *SOURCE.rglob("*.md")])
MODULES = sorted(SOURCE.rglob("*.py"))
FOLDERS = "docs|src|tests|configs|examples|benchmarks|compared|tools"

# A path of the repository; *, <name> and NAME.py stand for a family of files.
PATH = re.compile(rf"(?<![\w/.-])((?:{FOLDERS})/[\w./*<>-]*[\w/*>])")
COMMAND = re.compile(r"stgmamba (?:[a-z][a-z-]*)(?: [^`\n]*)?")
OPTION = re.compile(r"(?<![\w+-])--[a-z][a-z-]*[a-z](?![-\w]*[->])")
# A Python file by its name or by the end of its path; NAME.py and <name>.py stand for a family of files.
PYTHON_FILE = re.compile(r"(?<![\w./<>*-])((?:\w+/)*[a-z]\w*\.py)\b")
PYTHON_FILES = {str(path.relative_to(ROOT)) for folder in FOLDERS.split("|") for path in (ROOT / folder).rglob("*.py")}
IMPORT = re.compile(r"^\s*(from stgmamba[\w.]* import [\w, ]+)$", re.MULTILINE)
DOTTED = re.compile(r"(?<![\w/.])(stgmamba(?:\.[A-Za-z_]\w*)+)")


def id_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def strings(module: Path) -> list[str]:
    """All string literals of a module, f-strings with their holes as "{}", docstrings included."""

    def text(node: ast.AST) -> str:
        if isinstance(node, ast.JoinedStr):
            return "".join(text(part) for part in node.values)
        return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else "{}"

    tree = ast.parse(module.read_text(encoding="utf-8"))
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    return [
        text(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        or (isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts)
    ]


def docstrings(module: Path) -> list[str]:
    tree = ast.parse(module.read_text(encoding="utf-8"))
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
    return [ast.get_docstring(node) or "" for node in ast.walk(tree) if isinstance(node, kinds)]


def code_of(document: Path) -> list[str]:
    """Code of a document: lines of its shell blocks, and what stands between backticks."""
    text = document.read_text(encoding="utf-8").replace("\\\n", " ")
    blocks = re.findall(r"```(\w*)\n(.*?)```", text, re.DOTALL)
    lines = [
        line.split(" #")[0]
        for kind, block in blocks
        if kind in ("sh", "bash", "console", "")
        for line in block.split("\n")
    ]
    rest = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    return lines + [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", rest)]


def exists(path: str) -> bool:
    pattern = re.sub(r"<[^>]*>|\b[A-Z]{4,}(?=\.py)", "*", path)
    return any(ROOT.glob(pattern)) if "*" in pattern else (ROOT / pattern).exists()


@cache
def command_tree() -> Any:
    """The program as typer's own copy of click sees it."""
    return typer.main.get_command(app)


@cache
def every_option() -> set[str]:
    """The options of all verbs."""
    every: set[str] = set()
    commands = [command_tree()]
    while commands:
        command = commands.pop()
        every |= options_of(command)
        commands += verbs_of(command).values()
    return every


def verbs_of(command: Any) -> dict[str, Any]:
    return getattr(command, "commands", {})


def options_of(command: Any) -> set[str]:
    return {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)} | {"--help"}


def fault_of(line: str) -> str | None:
    """What a line that calls ``stgmamba`` has wrong: a verb or an option that does not exist."""
    try:
        words = shlex.split(line)[1:]
    except ValueError:
        words = line.split()[1:]
    command = command_tree()
    while verbs_of(command) and words and not words[0].startswith("-"):
        verb = words[0].rstrip(".,;:")
        if verb not in verbs_of(command):
            return f"no verb {verb!r}"
        command, words = verbs_of(command)[verb], words[1:]
    options = options_of(command)
    for word in words:
        if word in ("|", "&&", ">", ";"):
            break
        option = re.match(r"--?[a-zA-Z][a-z-]*", word)
        if option and option.group() not in options:
            return f"{command.name} has no option {option.group()}"
    return None


def resolves(name: str) -> bool:
    """Whether a dotted name of ours is a module or something in one."""
    parts = name.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError as error:
            if not (error.name or "").startswith("stgmamba"):
                return True  # of an extra that is not installed
            continue
        for part in parts[cut:]:
            fields = getattr(found, "__dataclass_fields__", {})
            if not hasattr(found, part) and part not in fields:
                return False
            found = getattr(found, part, None)
        return True
    return False


def unresolved_imports(code: str) -> list[str]:
    """Names that a piece of Python imports from us and that do not exist."""
    return [
        f"{node.module}.{alias.name}"
        for node in ast.walk(ast.parse(dedent(code)))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "stgmamba"
        for alias in node.names
        if not resolves(f"{node.module}.{alias.name}")
    ]


def is_python_file(name: str) -> bool:
    """Whether one of our Python files has this name or path, or a path that ends with it."""
    return any(f"/{path}".endswith(f"/{name}") for path in PYTHON_FILES)


def anchors_of(document: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=id_of)
def test_links_lead_somewhere(document: Path) -> None:
    text = re.sub(r"```.*?```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        if not target.exists() or (anchor and anchor not in anchors_of(target)):
            broken.append(link)
    assert not broken


@pytest.mark.parametrize("document", DOCUMENTS, ids=id_of)
def test_files_that_documents_name_exist(document: Path) -> None:
    named = {path for code in code_of(document) for path in PATH.findall(code)}
    assert sorted(path for path in named if not exists(path)) == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=id_of)
def test_commands_that_documents_give_exist(document: Path) -> None:
    faults = {line: fault_of(line) for code in code_of(document) for line in COMMAND.findall(code)}
    assert {line: fault for line, fault in faults.items() if fault} == {}


@pytest.mark.parametrize("document", DOCUMENTS, ids=id_of)
def test_modules_that_documents_name_exist(document: Path) -> None:
    named = {name for code in code_of(document) for name in DOTTED.findall(code)}
    assert sorted(name for name in named if not resolves(name)) == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=id_of)
def test_python_in_documents_imports_what_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert [name for block in blocks for name in unresolved_imports(block)] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=id_of)
def test_python_files_that_documents_name_exist(document: Path) -> None:
    named = {name for code in code_of(document) for name in PYTHON_FILE.findall(code)}
    assert sorted(name for name in named if not is_python_file(name)) == []


# Of benchmarks/frame_generator.py, tensorboard and mypy.
OTHER_OPTIONS = {"--compile", "--logdir", "--strict"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=id_of)
def test_options_that_documents_name_exist(document: Path) -> None:
    if document.name == "CHANGELOG.md":
        pytest.skip("history names what has gone")
    named = set(OPTION.findall(document.read_text(encoding="utf-8")))
    assert named - every_option() - OTHER_OPTIONS == set()


CLASS = re.compile(r"(?<![\w.`/-])([A-Z][a-z0-9]+[A-Z]\w*)(?:\.(\w+))?(?=$|[(.,\s])")


@pytest.mark.parametrize("document", DOCUMENTS, ids=id_of)
def test_classes_that_documents_name_exist(document: Path) -> None:
    if document.name == "CHANGELOG.md":
        pytest.skip("history names what has gone")
    source = "\n".join(path.read_text(encoding="utf-8") for path in MODULES)
    spans = re.findall(r"`([^`\n]+)`", document.read_text(encoding="utf-8"))
    named = {match.group(1) for span in spans for match in [CLASS.match(span)] if match}
    assert sorted(name for name in named if not re.search(rf"\b{name}\b", source)) == []


def test_files_that_messages_name_exist() -> None:
    missing = [
        (id_of(module), path)
        for module in MODULES
        for text in strings(module)
        for path in PATH.findall(text)
        if not exists(path.rstrip("."))
    ]
    assert missing == []


def test_commands_that_messages_give_exist() -> None:
    faults = [
        (id_of(module), line, fault)
        for module in MODULES
        for text in strings(module)
        for line in re.findall(r"`(stgmamba [^`]*)`", " ".join(text.split()))
        if (fault := fault_of(line))
    ]
    assert faults == []


def test_options_that_messages_name_exist() -> None:
    unknown = [
        (id_of(module), option)
        for module in MODULES
        for text in strings(module)
        for option in OPTION.findall(text)
        if option not in every_option()
    ]
    assert unknown == []


def test_modules_that_docstrings_name_exist() -> None:
    unknown = [
        (id_of(module), name)
        for module in MODULES
        for text in strings(module)
        for name in DOTTED.findall(text)
        if not name.endswith((".safetensors", ".npz")) and not resolves(name)
    ]
    assert unknown == []


def test_python_files_that_docstrings_name_exist() -> None:
    unknown = [
        (id_of(module), name)
        for module in MODULES
        for text in docstrings(module)
        for name in PYTHON_FILE.findall(text)
        if not is_python_file(name)
    ]
    assert unknown == []


def test_python_in_docstrings_imports_what_exists() -> None:
    imports = [
        (id_of(module), line) for module in MODULES for text in docstrings(module) for line in IMPORT.findall(text)
    ]
    assert len(imports) >= 2, "the package and the pipeline show how they are used"
    assert [(module, line) for module, line in imports if unresolved_imports(line)] == []


def test_single_backticks_in_docstrings_name_what_exists() -> None:
    """`Name` in a docstring refers to something of ours; other code has two backticks."""
    source = "\n".join(path.read_text(encoding="utf-8") for path in MODULES)
    unknown = [
        (id_of(module), name)
        for module in MODULES
        for text in docstrings(module)
        for name in re.findall(r"(?<!`)`([A-Za-z_]\w*)(?:\.\w+)*(?:\(\))?`(?!`)", text)
        if name != "stgmamba" and not re.search(rf"\b(?:def|class) {name}\b|^\s*{name}\b.*=", source, re.MULTILINE)
    ]
    assert unknown == []
