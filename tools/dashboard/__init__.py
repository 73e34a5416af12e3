"""What `tools/dashboard_picture.py` is made of: reading the template, sample data, drawing."""
