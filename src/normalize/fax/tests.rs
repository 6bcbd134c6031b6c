//! Small pages, drawn as text: a character is 12 pixels wide, a line 40 pixels high.
