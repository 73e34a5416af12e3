"""What a lesson costs on AWS: usage measured on a local run, priced by a dated table."""
