"""What schemathesis must know of this API that its document does not say."""

import ast
import threading

import schemathesis

# Python 3.11 counts the depth of a tree it makes for all threads together: "AST constructor recursion depth mismatch" where two make one.
_parse, _one = ast.parse, threading.Lock()


def _alone(*args, **kwargs):
    with _one:
        return _parse(*args, **kwargs)


ast.parse = _alone


@schemathesis.hook
def before_call(context, case, kwargs):
    # There is no data plane here, so nothing ever goes live: a second of waiting tells as much as two minutes.
    if case.query and "wait" in case.query:
        case.query["wait_timeout_s"] = 1
