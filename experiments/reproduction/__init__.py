"""The study of the paper at a chosen scale: searches, long trainings, tables, figure and page."""
