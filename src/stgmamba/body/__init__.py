"""A photo as a textured, rigged 3-D body: template, fit, outline, texture, posing, drawing."""
