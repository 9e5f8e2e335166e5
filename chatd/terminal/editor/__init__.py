"""The line editor: keys, bindings, history, completion and paste."""
