"""Line editor: keys, bindings, history, undo, completion and paste."""
