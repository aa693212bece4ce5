"""Case O10: the ORM's side, with an attribute that is computed, and is no column."""

from sqlalchemy import Boolean, Column, Date, Float, Integer
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import declarative_base

Base = declarative_base()


class Rate(Base):
    __tablename__ = "rate"

    id = Column(Integer, primary_key=True)
    date_from = Column(Date)
    date_to = Column(Date)
    base_price = Column(Float)
    bed_price = Column(Float)
    published = Column(Boolean)

    @hybrid_property
    def days(self):
        return (self.date_to - self.date_from).days

    def asdict(self):
        return {column.name: getattr(self, column.name) for column in self.__table__.columns}
