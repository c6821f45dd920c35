"""Facts as HTML: terms with what they are, tables where several have the same terms, all texts escaped."""

import re
from html import escape

_MOST = 20  # lines of a list


def facts_html(facts):
    """Nested facts, as JSON holds them."""
    if isinstance(facts, dict) and _is_table(facts):
        heads = list(next(iter(facts.values())))
        rows = [(str(name), [facts_html(each[head]) for head in heads]) for name, each in facts.items()]
        return table("", ["", *map(str, heads)], rows)
    if isinstance(facts, dict):
        return f"<dl>{''.join(_terms(facts))}</dl>" if facts else "none"
    if isinstance(facts, list) and any(isinstance(each, dict | list) for each in facts):
        more = f"<li>and {len(facts) - _MOST} more</li>" if len(facts) > _MOST else ""
        return f"<ul>{''.join(f'<li>{facts_html(each)}</li>' for each in facts[:_MOST])}{more}</ul>"
    if isinstance(facts, list):
        return escape(", ".join(map(str, facts))) or "none"
    return re.sub("`([^`]+)`", r"<code>\1</code>", escape("not known" if facts is None else str(facts))) or "–"


def table(caption, heads, rows):
    """A table that can be scrolled where it is too wide.

    Parameters
    ----------
    caption : str
        May be empty.
    heads : sequence of str
        The first stands above the rows' names.
    rows : iterable of (str, iterable)
        Name of a row, and its cells as HTML.
    """
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'
        for name, cells in rows
    )
    name = escape(caption, quote=True)
    seen = (
        f'<p class="small" aria-hidden="true">{name}</p>' if caption else ""
    )  # a caption would scroll with the table
    told = f'<caption class="hidden">{name}</caption>' if caption else ""
    return (
        f'{seen}<div class="wide" role="region" tabindex="0" aria-label="{name or "Table"}"><table>{told}'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _is_table(facts):
    """Whether several facts have the same plain terms."""
    rows = list(facts.values())
    if len(rows) < 2 or not all(isinstance(each, dict) and each for each in rows):
        return False
    plain = not any(isinstance(value, dict | list) for each in rows for value in each.values())
    return plain and len({tuple(each) for each in rows}) == 1


def _terms(facts):
    """Terms and what they are; facts beside each other that have the same terms as one table."""
    for name, value in facts.items():
        if isinstance(value, dict) and value and not any(isinstance(each, dict | list) for each in value.values()):
            said = ", ".join(f"{escape(str(key))} {facts_html(each)}" for key, each in value.items())
        else:
            said = facts_html(value)
        yield f"<dt>{escape(str(name))}</dt><dd>{said}</dd>"
